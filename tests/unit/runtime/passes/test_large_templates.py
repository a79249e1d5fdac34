"""Templates that render to megabytes: each node ends with a message, and others continue (K7,
K13)."""

from typing import Any

import pytest
from waypost.ports.cluster import Kind

from tests.support.builders import agent, container, gate, http, python, spec, wait
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import virtual

TEXT = "x" * 100_000  # fits an argument and the run's inputs
ONE, LARGE = "${inputs.t}", "${inputs.t}" * 100
MANY = [{"name": f"V{at}", "value": ONE} for at in range(20)]
PROVIDER = {
    "apiVersion": "waypost.dev/v1alpha1",
    "kind": "ModelProvider",
    "metadata": {"name": "main"},
    "spec": {"type": "OpenAI", "baseURL": "http://x", "apiKey": {"name": "k", "key": "k"}},
}
TOO_LARGE, INVALID = "InputTooLarge", "InputInvalid"


def row(id: str, node: dict[str, Any], reason: str, says: str) -> Any:
    return pytest.param(node, reason, says, id=id)


ROWS = [
    row("inputs", python("a", inputs={"v": LARGE}), TOO_LARGE, "the limit is"),
    row("arg", container("a", args=[LARGE]), INVALID, "limit of Linux"),
    row("many-args", container("a", args=[ONE] * 20), INVALID, "args and env have 2000000 bytes"),
    row("env", container("a", env=[{"name": "V", "value": LARGE}]), INVALID, "limit of Linux"),
    row("many-env", python("a", env=MANY), INVALID, "args and env have 2000000 bytes"),
    row("dollars", container("a", args=["${inputs.d}"] * 10), INVALID, "args and env have 2000000"),
    row("not-ascii", container("a", args=["${inputs.e}" * 6] * 7), INVALID, "1260007 bytes"),
    row("together", container("a", args=[ONE] * 6, env=MANY[:6]), INVALID, "1200000 bytes"),
    row("http-body", http("a", method="PUT", body={"v": LARGE}), TOO_LARGE, "the limit is"),
    row("http-url", http("a", url=f"http://x/{LARGE}"), TOO_LARGE, "the limit is"),
    row("http-query", http("a", query={"q": LARGE}), TOO_LARGE, "the limit is"),
    row("header", http("a", headers=[{"name": "v", "value": LARGE}]), TOO_LARGE, "the limit is"),
    row("prompt", agent("a", prompt=LARGE), TOO_LARGE, "the limit is"),
    row("message", gate("a", message=LARGE), INVALID, "the limit is 32768"),
    row("context", gate("a", context={"v": LARGE}), INVALID, "the limit is 65536"),
    row("duration", wait("a", duration=LARGE), INVALID, "wait.duration: expected a duration"),
    row("until", {"name": "a", "wait": {"until": LARGE}}, INVALID, "x…'"),
    row("when", python("a", when=f"{ONE[:-1]} + inputs.t == 'x'}}"), "ConditionFalse", ""),
]


@pytest.mark.parametrize(("node", "reason", "says"), ROWS)
@virtual
async def test_s90_what_renders_to_megabytes_ends_with_a_message(
    node: dict[str, Any], reason: str, says: str
) -> None:
    async with World() as world:
        world.start()
        await world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
        tolerant = {**node, "onFailure": "Continue"}
        inputs = {"t": TEXT, "d": "$" * 100_000, "e": "é" * 10_000}
        await world.submit(spec(tolerant, python("b"), inputs=inputs))
        a, b = (await world.finished(within=60))["nodes"]
        assert b["phase"] == "Succeeded", "it has nothing to do with it"
        assert (a["reason"], says in a["message"]) == (reason, True), a
        assert len(a["message"]) < 300, "a message that a person can read"
        paths = [one.path for one in world.ledger.executions if one.path]  # not of the probe
        assert paths == ["b"]
