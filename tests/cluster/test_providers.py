"""Which cluster is used: asked for, already there, or the first that can work."""

from collections.abc import Callable

import pytest

from e2e.cluster import providers
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import Settings

Make = Callable[..., Settings]


@pytest.mark.parametrize(
    ("asked", "existing", "docker", "image", "expected", "reason"),
    [
        ("", None, True, True, "kind", "kind comes first where it can work"),
        ("", None, True, False, "embedded", "Docker without the node image is no use"),
        ("", None, False, True, "embedded", "no Docker, no kind"),
        ("", "embedded", True, True, "embedded", "a cluster that is up stays what it is"),
        ("", "kind", False, False, "kind", "a Docker that is down does not change its provider"),
        ("embedded", None, True, True, "embedded", "what is asked for wins"),
        ("kind", None, True, False, "kind", "asked for: pulling the image may take its time"),
        ("current", None, True, True, "current", "only when named"),
        ("current", "embedded", True, True, "current", "beside a cluster of ours"),
        ("", "current", True, True, "kind", "never without being named"),
        ("embedded", "damaged memory", True, True, "embedded", "an unknown memory is none"),
    ],
)
def test_choice(
    asked: str,
    existing: str | None,
    docker: bool,
    image: bool,
    expected: str,
    reason: str,
    settings_of: Make,
) -> None:
    settings = settings_of(CLUSTER=asked)
    providers.remember(settings, existing or "")
    chosen = providers.choose(settings, docker=lambda: docker, image=lambda: image)
    assert chosen == expected, reason


def test_image_is_not_pulled_when_docker_is_down(settings: Settings) -> None:
    def pull() -> bool:
        raise AssertionError("pulled")

    assert providers.choose(settings, docker=lambda: False, image=pull) == "embedded"


def test_kind_without_docker_is_refused_before_anything_is_made(settings_of: Make) -> None:
    with pytest.raises(ClusterError, match="no Docker daemon answers"):
        providers.choose(settings_of(CLUSTER="kind"), docker=lambda: False)


def test_other_provider_than_the_running_one_is_refused(settings_of: Make) -> None:
    settings = settings_of(CLUSTER="kind")
    providers.remember(settings, "embedded")
    with pytest.raises(ClusterError, match="down"):
        providers.choose(settings)


def test_forgotten_after_down(settings: Settings) -> None:
    providers.remember(settings, "embedded")
    providers.forget(settings, "current")
    assert providers.remembered(settings) == "embedded", "the current cluster is none of ours"
    providers.forget(settings, "embedded")
    providers.forget(settings, "embedded")
    assert providers.remembered(settings) is None
