"""onFailure: Pause (S42): what waits for a person, what continues, what ends it."""

from collections.abc import Mapping
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.compiler.definition import define

from tests.support.builders import NOW, after, gate, python, spec, wait
from tests.support.play import Play, evicted, launches, never_ends, raises, returns

PATCH = 'kubectl patch aw brief -n team --type merge -p \'{"spec":{"rerun":{"round":2}}}\''
BOOM = {"x": [raises()]}


def pausing(name: str = "x", **fields: Any) -> JsonObject:
    """A node whose failure a person sees to."""
    return python(name, onFailure="Pause", **fields)


def rested(raw: JsonObject, *, passes: int = 40, **more: Any) -> Play:
    """A run played until nothing of it moves any more, whatever time passes."""
    play = Play(raw, **{"endings": BOOM, **more})
    for _ in range(passes):
        play.step()
        play.advance(1.0)
        if play.requeue is not None:
            play.now = max(play.now, play.requeue)
    return play


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        pytest.param({"inputs": {"v": "${nodes.x.output}"}}, "a reference", id="hard"),
        pytest.param({"dependsOn": ["x"]}, "dependsOn", id="depends-on"),
        pytest.param({"inputs": {"v": "${has(nodes.x.output)}"}}, "a guarded one", id="soft"),
        pytest.param({"inputs": {"v": "${nodes.x.phase}"}}, "its phase may yet change", id="phase"),
        pytest.param({"after": ["x"]}, "order", id="after"),
    ],
)
def test_s42_only_its_dependants_wait(link: JsonObject, reason: str) -> None:
    raw = spec(
        pausing(),
        python("y", **link),
        python("z", dependsOn=["y"]),
        python("other"),
        python("more", dependsOn=["other"]),
    )
    play = rested(raw)
    assert play.phases == {
        "x": "Failed",
        "y": "Pending",
        "z": "Pending",
        "other": "Succeeded",
        "more": "Succeeded",
    }, f"{reason} waits with it, nothing else does"
    assert not play.finished, "a person may yet continue it"
    assert (play.status.phase, play.status.progress) == ("Paused", "3/5")
    assert play.status.waiting == "rerun/x"
    assert play.requeue is None, "nothing but a person moves it"


def test_s42_also_when_nothing_is_left() -> None:
    play = rested(spec(pausing()))
    assert (play.status.phase, play.finished) == ("Paused", False), "all have ended, the run not"


CONDITIONS = ("Accepted", "Succeeded", "Finished", "Reconciling", "Stalled")


def conditions(play: Play) -> str:
    """The conditions of a run, in one line."""
    return " ".join(play.condition(c)[0] for c in CONDITIONS)


def test_the_conditions_of_a_paused_run() -> None:
    play = rested(spec(pausing(), python("y", dependsOn=["x"])))
    assert conditions(play) == "True Unknown False False True"
    status, reason, message = play.condition("Stalled")
    assert (status, reason) == ("True", "Paused")
    assert message == f"x failed: NodeError: boom. Fix the cause, then: {PATCH}"
    assert play.condition("Finished")[2] == message, "kubectl wait tells it too"
    reported = [n for d in play.decisions for n in d.events if n.reason == "RunPaused"]
    assert [n.message for n in reported] == [message], "one Event, however often it is looked at"


def test_stalled_is_told_while_others_run() -> None:
    raw = spec(pausing(), python("y", dependsOn=["x"]), python("slow"))
    play = Play(raw, endings={**BOOM, "slow": [never_ends()]})
    play.step()
    play.advance()
    play.step()
    assert conditions(play) == "True Unknown False True True", "a person need not wait for the rest"
    assert (play.status.phase, play.status.waiting) == ("Running", None)


@pytest.mark.parametrize(
    ("other", "phase", "waiting"),
    [
        pytest.param(gate("o"), "Waiting", "approval/", id="gate"),
        pytest.param(wait("o"), "Waiting", "until ", id="wait"),
        pytest.param(python("o", dependsOn=["w"]), "Waiting", "until ", id="pending-behind-a-wait"),
    ],
)
def test_what_still_waits_for_something_else(other: JsonObject, phase: str, waiting: str) -> None:
    play = Play(spec(pausing(), wait("w", duration="2h"), other), endings=BOOM)
    for _ in range(3):
        play.step()
        play.advance()
    assert play.status.phase == phase
    assert (play.status.waiting or "").startswith(waiting)
    assert play.condition("Reconciling")[0] == "True", "it continues without help"
    assert play.condition("Stalled")[0] == "True"


@pytest.mark.parametrize(
    ("nodes", "endings", "answers", "reason"),
    [
        pytest.param([pausing(retry={"limit": 1})], {"x": [raises()] * 2}, {}, "NodeError", id="2"),
        pytest.param([pausing(effect="once")], {"x": [evicted()]}, {}, "UnknownEffect", id="once"),
        pytest.param(
            [gate("x", onFailure="Pause")],
            {},
            {"x": {"decision": "Denied"}},
            "ApprovalDenied",
            id="denied",
        ),
        pytest.param(
            [gate("x", timeout="1h", onFailure="Pause")], {}, {}, "ApprovalExpired", id="expired"
        ),
        pytest.param(
            [pausing(inputs={"v": "${inputs.a.b}"})], {}, {}, "InputInvalid", id="no-pod-yet"
        ),
    ],
)
def test_whatever_a_node_fails_with(
    nodes: list[JsonObject], endings: Mapping[str, Any], answers: Mapping[str, Any], reason: str
) -> None:
    raw = spec(*nodes, inputs={"a": {}})
    play = rested(raw, endings=endings, answers=answers)
    assert (play.node("x").reason, play.status.phase) == (reason, "Paused")


def test_two_paused_nodes_are_counted() -> None:
    play = rested(spec(pausing("x"), pausing("w")), endings={"x": [raises()], "w": [raises()]})
    assert "x failed: NodeError: boom (and 1 more). Fix" in play.condition("Stalled")[2]


def test_a_cancel_ends_it() -> None:
    play = rested(spec(pausing(), python("y", dependsOn=["x"])))
    play.spec = {**play.spec, "cancel": True}
    play.step()
    assert play.phases == {"x": "Failed", "y": "Cancelled"}, "failures stay reported"
    assert (play.status.phase, play.finished) == ("Cancelled", True)


def test_another_failure_ends_it() -> None:
    raw = spec(pausing(), python("y", dependsOn=["x"]), wait("w"), python("z", dependsOn=["w"]))
    play = rested(raw, endings={**BOOM, "z": [raises("worse")]})
    assert play.phases == {"x": "Failed", "y": "Skipped", "w": "Succeeded", "z": "Failed"}
    assert (play.status.phase, play.node("y").reason) == ("Failed", "DependencyFailed")


def test_suspend_holds_what_could_start_and_is_told() -> None:
    raw = spec(pausing(), wait("w", duration="1h"), python("o", dependsOn=["w"]))
    play = Play(raw, endings=BOOM)
    play.step()
    play.advance()
    play.spec = {**raw, "suspend": True}
    play.now = after(7200)
    play.step()
    assert (play.phases["o"], play.status.phase) == ("Pending", "Suspended")
    play.spec = raw
    play.step()
    assert [x.path for x in launches(play.decisions[-1])] == ["o"]


def test_a_paused_run_is_not_written_again() -> None:
    play = rested(spec(pausing(), python("y", dependsOn=["x"])))
    before = play.status
    play.now = after(86_400)
    play.step()
    assert play.status == before, "a day later nothing has happened"


def test_a_fallback_needs_continue() -> None:
    problems = define(spec(pausing(fallbackOutput=1))).problems
    assert [p.field for p in problems] == ["nodes.x.fallbackOutput"]


def test_no_failure_no_pause() -> None:
    play = rested(spec(pausing(retry={"limit": 1})), endings={"x": [raises(), returns(1)]})
    assert (play.status.phase, play.condition("Stalled")[0]) == ("Succeeded", "False")
    assert play.now > NOW
