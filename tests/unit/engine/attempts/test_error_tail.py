"""S620: `nodes.x.error.tail`, the end of what a failed node has printed."""

from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define
from waypost.engine.run.status_size import trim

from tests.support import builders
from tests.support.builders import container, exited, failure_record, python, spec
from tests.support.play import Ending, Play, raises, returns, writes

SEEN: JsonObject = {"seen": "${nodes.a.error.?tail.orValue('nothing')}"}
TOKEN = "ghp_" + "a" * 36  # of nobody


def prints(tail: str) -> Ending:
    """A python node that fails with this end of its traceback."""

    def end(pod: Any) -> Any:
        text = failure_record("NodeError", pod.path, pod.attempt, tail=tail, pod_uid=pod.uid)
        return exited(pod.path, pod.attempt, code=1, message=text, uid=pod.uid)

    return end


def seen_of(node: JsonObject, ending: Ending) -> str:
    """What an output of the run reads of the failed node `a`."""
    play = Play(spec(node, outputs=SEEN), endings={"a": [ending]}).finish()
    assert play.phases["a"] == "Failed"
    outputs = play.status.outputs
    assert isinstance(outputs, dict)
    return str(outputs["seen"])


TOLERATED = python("a", onFailure="Continue")


@pytest.mark.parametrize(
    ("node", "ending", "seen"),
    [
        pytest.param(TOLERATED, prints("line 1\nline 2"), "line 1\nline 2", id="python"),
        pytest.param(TOLERATED, prints(""), "nothing", id="it-printed-nothing"),
        pytest.param(
            TOLERATED, prints(f"GET with {TOKEN}"), "GET with [redacted]", id="a-secret-is-struck"
        ),
        pytest.param(
            TOLERATED, raises("no input", reason="InputInvalid"), "Traceback", id="another-reason"
        ),
    ],
)
def test_s620_what_a_later_expression_sees(node: JsonObject, ending: Ending, seen: str) -> None:
    assert seen_of(node, ending) == seen


def test_s620_of_a_container_it_is_the_end_of_the_log() -> None:
    assert seen_of(container("a", onFailure="Continue"), writes("", 3)).startswith("log of ")


def test_s620_of_the_last_attempt_and_gone_after_a_success() -> None:
    node = python("a", retry={"limit": 1, "backoff": {"initial": "1s"}}, onFailure="Continue")
    play = Play(spec(node, outputs=SEEN), endings={"a": [prints("first"), prints("second")]})
    assert play.finish().status.outputs == {"seen": "second"}
    play = Play(spec(node), endings={"a": [prints("first"), returns(1)]}).finish()
    assert play.node("a").tail is None


def test_s620_it_is_shortened_before_the_status_is_too_large() -> None:
    """The status has a limit; a long tail gives way first."""
    nodes = [
        builders.node_status(f"n{number}", "Failed", tail="x" * 3000 + "end")
        for number in range(100)
    ]
    cut = trim(builders.status(*nodes))
    assert {(len(node.tail or ""), (node.tail or "")[-3:]) for node in cut.nodes} == {(1024, "end")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            "${nodes.a.error.tail}", "nodes.a.error.tail may be absent", id="without-a-guard"
        ),
        pytest.param(
            "${nodes.a.?error.?tail.orValue('').size() + 'x'}", "(int, string)", id="it-is-text"
        ),
        pytest.param("${nodes.a.error.tails}", "tails", id="another-name"),
    ],
)
def test_s620_a_wrong_use_is_found_before_anything_runs(text: str, says: str) -> None:
    found = define(spec(TOLERATED, python("b", inputs={"log": text}, after=["a"])))
    assert any(says in str(one) for one in (*found.problems, *found.warnings))


def test_s620_a_guarded_use_is_right() -> None:
    right = "${nodes.a.?error.?tail.orValue('')}"
    found = define(spec(TOLERATED, python("b", inputs={"log": right}, after=["a"])))
    assert (found.problems, found.warnings) == ((), ())
