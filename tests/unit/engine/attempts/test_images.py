"""Digests of images: taken from the first pod, used by later attempts (S439)."""

from dataclasses import replace
from typing import Any

import pytest
from waypost.api.isolation.policy import NamespacePolicy
from waypost.kube.facts.pods import PodFact
from waypost.kube.images import digest_of

from tests.support.builders import container, python, spec
from tests.support.play import Ending, Play, raises, returns, writes

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"

NAMES = {
    "the short name": ("alpine:3", f"docker.io/library/alpine@{ONE}", ONE),
    "an organisation of the hub": ("alpine/git:2", f"docker.io/alpine/git@{ONE}", ONE),
    "the old name of the hub": ("index.docker.io/alpine/git", f"docker.io/alpine/git@{ONE}", ONE),
    "a registry with a port": ("reg:5000/a/b:1", f"reg:5000/a/b@{ONE}", ONE),
    "localhost": ("localhost/a", f"localhost/a@{ONE}", ONE),
    "docker": ("alpine", f"docker-pullable://alpine@{ONE}", ONE),
    "another repository": ("alpine:3", f"mirror.local/alpine@{ONE}", ""),
    "loaded from a file": ("alpine:3", f"docker.io/library/import-2026-11-29@{ONE}", ""),
    "a digest of the configuration": ("alpine:3", ONE, ""),
    "pinned by the person": (f"alpine@{TWO}", f"docker.io/library/alpine@{TWO}", ""),
    "nothing": ("alpine:3", "", ""),
    "no digest": ("alpine:3", "docker.io/library/alpine:3", ""),
}


@pytest.mark.parametrize(("image", "shown", "digest"), NAMES.values(), ids=NAMES)
def test_s439_a_digest_counts_only_under_the_name_of_the_node(
    image: str, shown: str, digest: str
) -> None:
    assert digest_of(image, shown) == digest


def showing(
    ending: Ending, digest: str = ONE, repository: str = "docker.io/library/alpine"
) -> Ending:
    """The pod shows the image that it has run."""
    return lambda pod: shows(ending(pod), f"{repository}@{digest}")


def shows(pod: PodFact, image_id: str) -> PodFact:
    return replace(pod, image_id=image_id)


def images(play: Play, path: str = "a") -> list[str]:
    found = [(key[1], manifest) for key, manifest in play.manifests.items() if key[0] == path]
    return [
        manifest["spec"]["template"]["spec"]["containers"][0]["image"]
        for _, manifest in sorted(found, key=lambda one: one[0])
    ]


def run(*endings: Ending, **fields: Any) -> Play:
    node = container("a", retry={"limit": 3}, **fields)
    node["container"]["image"] = "alpine:3"
    return Play(spec(node), endings={"a": list(endings)})


def test_s439_the_next_attempt_runs_what_the_first_one_ran() -> None:
    play = run(showing(writes("", code=1)), showing(writes("1"), digest=TWO)).finish()
    assert play.phases == {"a": "Succeeded"}
    assert images(play) == ["alpine:3", f"alpine:3@{ONE}"]
    image = play.node("a").image
    assert image is not None
    assert (image.name, image.digest) == ("alpine:3", ONE), "the first one counts"


def test_s439_an_image_without_a_digest_stays_as_it_is() -> None:
    play = run(writes("", code=1), writes("1")).finish()
    assert images(play) == ["alpine:3", "alpine:3"]
    assert play.node("a").image is None


def test_s439_a_round_keeps_it_unless_the_node_is_named() -> None:
    play = run(showing(writes("", code=1))).finish()
    play.endings = {"a": [showing(writes("1"), digest=TWO)]}
    play.rerun().finish()
    assert images(play)[-1] == f"alpine:3@{ONE}"
    play.rerun(**{"from": ["a"]}).finish()
    assert images(play)[-1] == "alpine:3"
    image = play.node("a").image
    assert image is not None
    assert image.digest == TWO


def test_s439_another_image_is_not_pinned_to_the_old_digest() -> None:
    play = run(showing(writes("", code=1))).finish()
    changed = {**play.spec["nodes"][0]["container"], "image": "alpine:4"}
    play.edit_node("a", container=changed).rerun().finish()
    assert images(play)[3:5] == [f"alpine:3@{ONE}", "alpine:4"]


def test_s439_our_own_images_are_not_pinned() -> None:
    node = python("a", retry={"limit": 1})
    play = Play(spec(node), endings={"a": [showing(raises()), showing(returns(1))]}).finish()
    assert len(set(images(play))) == 1
    assert play.node("a").image is None


def test_s439_the_digest_is_no_part_of_the_definition() -> None:
    play = run(showing(writes("1"))).finish()
    before = play.node("a").fingerprint
    play.rerun().finish()
    assert play.node("a").disposition == "Reused"
    assert play.node("a").fingerprint == before


def test_s439_the_policy_of_the_platform_judges_the_image_that_the_spec_names() -> None:
    play = run(showing(writes("", code=1)), showing(writes("1")))
    play.overrides = {"policy": NamespacePolicy(images=("alpine:3",))}
    play.finish()
    assert play.phases == {"a": "Succeeded"}
    assert images(play)[-1] == f"alpine:3@{ONE}"
