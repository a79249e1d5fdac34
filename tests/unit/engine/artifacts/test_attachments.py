"""Attachments of agents in the engine: what is pinned, mounted and refused at a launch."""

import json
from dataclasses import replace
from typing import Any

import pytest
from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.protocol.artifacts.limits import ATTACHMENT_BYTES
from waypost.protocol.artifacts.request import Content

from tests.support.builders import agent, python, spec
from tests.support.maps import requests
from tests.support.play import Play, returns
from tests.unit.engine.artifacts.test_artifacts import (
    GATEWAY,
    MAKE,
    ONE,
    REPO,
    fact,
    makes,
)
from tests.unit.engine.nodes.test_agent import world

LOOK: JsonObject = {"attachments": [{"from": REPO}]}


def looked(
    content: Content = ONE, *nodes: JsonObject, settings: Any = GATEWAY, **fields: Any
) -> Play:
    """A run whose agent `look` gets what `make` has made."""
    listed = nodes or (agent("look", **LOOK),)
    scripts = {"make": [makes(content)]}
    scripts |= {name: [ending] for name, ending in fields.items()}
    run = Play(spec(MAKE, *listed), endings=scripts, settings=settings)
    run.overrides = {**world(), "records": {fact(content).name: fact(content)}}
    run.finish()
    return run


def test_s486_the_attachment_is_pinned_by_record_and_digest() -> None:
    run = looked()
    template = run.manifests["look", 1]["spec"]["template"]
    pins = json.loads(template["metadata"]["annotations"][meta.ANNOTATION_ARTIFACTS])
    assert pins == {"in": [{"record": fact().name, "digest": ONE.digest}], "out": {}}
    assert requests(run)["look", 1]["artifacts"]["in"] == [
        {"volume": "attachment-0", "folder": "", **ONE.to_json()}
    ]
    assert "attachments" not in requests(run)["look", 1]["agent"]
    assert run.node("look").phase == "Succeeded"


def test_s486_the_files_are_read_only_in_the_pod_of_the_agent() -> None:
    pod = looked().manifests["look", 1]["spec"]["template"]["spec"]
    mount = {"name": "attachment-0", "mountPath": "/waypost/attachments/0", "readOnly": True}
    assert mount in pod["containers"][0]["volumeMounts"]
    [fetch] = pod["initContainers"]
    folder = {"name": "attachment-0", "mountPath": "/waypost/artifacts/attachment-0"}
    assert folder in fetch["volumeMounts"]


def test_s486_attachments_and_folders_do_not_mix() -> None:
    entry = {"from": REPO, "path": "/data/repo"}
    both = agent("look", **LOOK, artifacts={"in": [entry]})
    taken = requests(looked(ONE, both))["look", 1]["artifacts"]["in"]
    assert [one["volume"] for one in taken] == ["artifact-0", "attachment-0"]


FORGED = {
    "digest of nobody": {"name": "repo", "digest": f"sha256:{'2' * 64}", "bytes": 1, "files": 1},
    "no artifact": "sha256:1",
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED)
def test_s486_a_value_that_no_node_has_made_is_no_attachment(value: Any) -> None:
    shown = agent("look", attachments=[{"from": "${nodes.say.output}"}])
    node = looked(ONE, python("say"), shown, say=returns(value)).node("look")
    assert (node.phase, node.reason) == ("Failed", "InputInvalid")
    assert "agent.attachments[0].from" in (node.message or "")


@pytest.mark.parametrize(
    ("size", "phase", "reason"),
    [
        pytest.param(ATTACHMENT_BYTES, "Succeeded", None, id="the-limit"),
        pytest.param(ATTACHMENT_BYTES + 1, "Failed", "InputTooLarge", id="more"),
    ],
)
def test_s487_all_attachments_together_are_limited(
    size: int, phase: str, reason: str | None
) -> None:
    run = looked(ONE._replace(bytes=size))
    node = run.node("look")
    assert (node.phase, node.reason) == (phase, reason), node.message
    assert (("look", 1) in run.manifests) is (phase == "Succeeded"), "no pod is made"


def test_without_a_gateway_the_node_says_what_to_configure() -> None:
    run = looked(settings=replace(GATEWAY, gateway_url=None))
    assert "gateway.enabled" in (run.node("make").message or "")
