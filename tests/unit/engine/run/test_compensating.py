"""Compensations, pass by pass: what is undone, in which order, and what later rounds do with it."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.api.base import JsonObject
from waypost.kube.timestamps import parse_timestamp

from tests.support.builders import container, python, spec
from tests.support.crashing import finish_crashing
from tests.support.play import Play, evicted, launches, never_ends, raises, returns

UNDO: JsonObject = {"python": {"source": "def run(**inputs):\n    return inputs\n"}}
SELF: JsonObject = {
    "inputs": "${self.inputs}",
    "output": "${self.?output.orValue(null)}",
    "key": "${self.idempotencyKey}",
    "why": "${run.reason}",
}


def undoable(name: str, *, undo: Any = None, **fields: Any) -> JsonObject:
    return python(name, compensate={**UNDO, **(undo or {})}, **fields)


def saga(**fields: Any) -> JsonObject:
    """flight, then hotel, then charge, then ship, which fails."""
    return spec(
        undoable("flight"),
        undoable("hotel", dependsOn=["flight"]),
        undoable("charge", dependsOn=["hotel"]),
        python("ship", dependsOn=["charge"]),
        **fields,
    )


def undone(play: Play) -> list[str]:
    return [path for path in play.launched if path.endswith("/compensate")]


def play(raw: JsonObject, **endings: Any) -> Play:
    scripts = {key.replace("__", "/"): value for key, value in endings.items()}
    made = {f"{n['name']}/compensate": [returns({})] for n in raw["nodes"] if "compensate" in n}
    return Play(raw, endings={**made, **scripts})


def until_verdict(run: Play) -> Play:
    for _ in range(60):
        run.step()
        if run.status.verdict is not None:
            return run
        run.advance(1)
    raise AssertionError(run.phases)


def pass_on(run: Play) -> None:
    """One pass, and some time."""
    run.step()
    run.advance(0.5)


def test_s270_the_nodes_of_a_failed_run_are_undone_newest_first() -> None:
    run = play(saga(), ship=[raises()]).finish()
    assert undone(run) == ["charge/compensate", "hotel/compensate", "flight/compensate"]
    assert run.status.phase == "Failed"
    assert run.condition("Succeeded")[1] == "NodeError", "the reason of the run stays"
    assert run.condition("CompensationSucceeded")[:2] == ("True", "Completed")
    assert run.status.progress == "7/7"


def test_s270_nothing_is_undone_after_a_success() -> None:
    run = play(saga()).finish()
    assert not undone(run)
    assert (run.status.stage, run.status.verdict) == ("Main", None)
    assert run.condition("CompensationSucceeded")[:2] == ("True", "NothingToCompensate")


@pytest.mark.parametrize(
    ("fields", "act", "phase"),
    [
        pytest.param({}, {"cancel": True}, "Cancelled", id="cancel"),
        pytest.param({"deadline": "30s"}, {}, "Failed", id="deadline"),
    ],
)
def test_s270_a_cancel_and_the_deadline_undo_too(
    fields: JsonObject, act: JsonObject, phase: str
) -> None:
    run = play(saga(**fields), ship=[never_ends()])
    while "ship" not in run.launched:
        run.step()
        run.advance(1)
    if act:
        run.edit(**act)
    run.finish()
    assert undone(run) == ["charge/compensate", "hotel/compensate", "flight/compensate"]
    assert run.status.phase == phase


@pytest.mark.parametrize(
    ("endings", "expected"),
    [
        pytest.param({"charge": [raises()]}, ["hotel", "flight"], id="failed-is-not-undone"),
        pytest.param({"flight": [raises()]}, [], id="nothing-took-effect"),
    ],
)
def test_s270_what_did_not_succeed_is_not_undone(endings: Any, expected: list[str]) -> None:
    run = play(saga(), **endings).finish()
    assert undone(run) == [f"{name}/compensate" for name in expected]
    if not expected:
        assert run.condition("CompensationSucceeded")[1] == "NothingToCompensate"


def test_s270_an_unknown_effect_is_undone_without_an_output() -> None:
    raw = spec(undoable("charge", effect="once", undo={"inputs": SELF}))
    run = play(raw, charge=[evicted()]).finish()
    assert run.node("charge").reason == "UnknownEffect"
    assert undone(run) == ["charge/compensate"]
    assert run.phases["charge/compensate"] == "Succeeded"


def test_s271_one_write_holds_the_verdict_the_stage_and_the_entries() -> None:
    run = until_verdict(play(saga(finallyDeadline="90s"), ship=[raises()]))
    assert run.status.stage == "Compensating"
    assert run.status.verdict is not None
    assert run.status.verdict.phase == "Failed"
    at = parse_timestamp(run.status.compensate_deadline_at)
    assert at == run.now + timedelta(seconds=90)
    assert run.phases["charge/compensate"] == "Pending"
    assert not launches(run.decisions[-1]), "compensations start once that write has landed"
    assert run.planned().live, "a program of an earlier round may still run"
    assert "CompensationBegun" in [event.reason for event in run.decisions[-1].events]


def test_s271_finally_follows_with_a_clock_that_begins_again() -> None:
    last = python("clean", inputs={"phase": "${run.phase}"})
    run = play(saga(**{"finally": [last], "finallyDeadline": "90s"}), ship=[raises()]).finish()
    assert run.launched[-1] == "clean"
    assert run.status.stage == "Finalizing"
    first, second = (
        parse_timestamp(at)
        for at in (run.status.compensate_deadline_at, run.status.finally_deadline_at)
    )
    assert first is not None
    assert second is not None
    assert first < second
    assert run.status.verdict is not None
    assert parse_timestamp(run.status.verdict.at) == first - timedelta(seconds=90)


def test_s272_siblings_are_undone_newest_first_and_one_at_a_time() -> None:
    raw = spec(
        undoable("a"),
        undoable("b"),
        undoable("c", dependsOn=["a"]),
        python("z", dependsOn=["b", "c"]),
    )
    run = play(raw, z=[raises()])
    seen: list[int] = []
    for _ in range(80):
        run.step()
        running = [p for p, phase in run.phases.items() if "/" in p and phase == "Running"]
        seen.append(len(running))
        if run.finished:
            break
        run.advance(1)
    assert max(seen) == 1
    order = [path.partition("/")[0] for path in undone(run)]
    assert order.index("c") < order.index("a")
    assert sorted(order) == ["a", "b", "c"]


def test_s272_edges_are_stronger_than_times() -> None:
    """The clock of a second operator was behind: the later node seems to have ended first."""
    run = until_verdict(play(saga(), ship=[raises()]))
    nodes = [
        entry.model_copy(update={"finished_at": "2020-01-01T00:00:00Z"})
        if entry.path == "charge"
        else entry
        for entry in run.status.nodes
    ]
    run.status = run.status.model_copy(update={"nodes": nodes})
    run.finish()
    assert undone(run)[0] == "charge/compensate"


def test_s273_it_sees_the_node_that_it_undoes() -> None:
    raw = spec(
        python("quote"),
        undoable(
            "charge",
            inputs={"amount": "${nodes.quote.output.amount}", "card": "${inputs.card}"},
            undo={"inputs": {**SELF, "rate": "${nodes.quote.output.rate}"}},
        ),
        python("ship", dependsOn=["charge"]),
        inputs={"card": "c1"},
    )
    run = play(
        raw,
        quote=[returns({"amount": 12, "rate": 1.5})],
        charge=[returns({"id": "ch-1"})],
        ship=[raises()],
    ).finish()
    given = run.manifests["charge/compensate", 1]["spec"]["template"]["metadata"]["annotations"]
    text = "".join(given.values()).replace("\\", "")
    for part in ('"amount":12', '"card":"c1"', '"id":"ch-1"', '"why":"NodeError"', '"rate":1.5'):
        assert part in text, part


def test_s275_attempts_follow_the_default_of_five_retries() -> None:
    run = play(saga(), ship=[raises()], charge__compensate=[raises()]).finish()
    assert run.executions["charge/compensate", 6] == 1
    assert run.node("charge/compensate").retries == 5
    assert run.phases["charge/compensate"] == "Failed"


def test_s276_a_compensation_that_fails_stops_no_other() -> None:
    run = play(saga(), ship=[raises()], hotel__compensate=[raises("no")]).finish()
    assert run.phases["flight/compensate"] == "Succeeded"
    status, reason, message = run.condition("CompensationSucceeded")
    assert (status, reason) == ("False", "CompensationFailed")
    assert "hotel/compensate: NodeError: no" in message
    assert "not undone: hotel" in message
    status, reason, message = run.condition("Succeeded")
    assert (status, reason) == ("False", "NodeError"), "the reason of the run stays"
    assert message.endswith("not undone: hotel")


def test_s277_the_deadline_ends_what_is_not_undone() -> None:
    run = play(
        saga(finallyDeadline="1m"), ship=[raises()], hotel__compensate=[never_ends()]
    ).finish()
    assert run.phases["charge/compensate"] == "Succeeded"
    assert run.reasons["hotel/compensate"] == "DeadlineExceeded"
    assert run.phases["flight/compensate"] == "Cancelled"
    assert run.condition("CompensationSucceeded")[:2] == ("False", "CompensationFailed")
    assert "not undone: hotel, flight" in run.condition("CompensationSucceeded")[2]


def test_s278_a_cancel_changes_neither_the_verdict_nor_what_runs() -> None:
    run = until_verdict(play(saga(), ship=[raises()]))
    verdict = run.status.verdict
    run.edit(cancel=True).finish()
    assert run.status.verdict == verdict
    assert run.status.phase == "Failed"
    assert len(undone(run)) == 3


def test_s278_skip_finally_stops_compensations() -> None:
    run = until_verdict(play(saga(), ship=[raises()], charge__compensate=[never_ends()]))
    for _ in range(3):
        run.step()
        run.advance(1)
    run.edit(cancel=True, skipFinally=True).finish()
    assert undone(run) == ["charge/compensate"]
    assert run.condition("CompensationSucceeded")[:2] == ("False", "CompensationSkipped")


def test_s278_a_suspended_run_starts_no_compensation() -> None:
    run = until_verdict(play(saga(finallyDeadline="1m"), ship=[raises()])).edit(suspend=True)
    run.finish()
    assert not undone(run)
    assert run.reasons["charge/compensate"] == "DeadlineExceeded"


def test_s279_an_undone_node_runs_again_in_the_next_round_with_another_key() -> None:
    run = play(saga(), ship=[raises(), returns({})]).finish()
    keys = {path: run.node(path).repeats for path in ("flight", "charge")}
    run.rerun().finish()
    assert run.status.phase == "Succeeded"
    for path in ("flight", "hotel", "charge"):
        node = run.node(path)
        assert node.disposition == "Rerun"
        assert node.disposition_message == "undone in round 1"
        assert node.attempt == 2
    assert {path: run.node(path).repeats for path in keys} == {"flight": 1, "charge": 1}
    assert run.condition("CompensationSucceeded")[:2] == ("True", "NothingToCompensate")
    assert not [path for path in run.phases if "/" in path]


def test_s275_a_later_compensation_has_another_attempt_and_another_key() -> None:
    run = play(saga(), ship=[raises()]).finish()
    run.rerun().finish()
    assert undone(run) == 2 * ["charge/compensate", "hotel/compensate", "flight/compensate"]
    entry = run.node("charge/compensate")
    assert (entry.attempt, entry.repeats, entry.round) == (2, 1, 2)
    assert run.executions["charge/compensate", 2] == 1


def test_s279_a_node_whose_compensation_never_started_is_kept() -> None:
    run = play(
        saga(finallyDeadline="1m"),
        ship=[raises(), returns({})],
        hotel__compensate=[never_ends()],
    ).finish()
    run.rerun(**{"from": ["hotel"]}).finish()
    assert run.status.phase == "Succeeded"
    assert run.node("flight").disposition == "Reused"
    assert run.node("charge").disposition == "Rerun"


@pytest.mark.parametrize(
    ("charge", "endings", "text"),
    [
        pytest.param({"effect": "once"}, {}, "it has effect: once and was undone", id="once"),
        pytest.param(
            {}, {"charge__compensate": [raises()]}, "its compensation ended Failed", id="failed"
        ),
    ],
)
@pytest.mark.parametrize(
    "named",
    [
        pytest.param({}, id="nobody-decides"),
        pytest.param({"from": ["charge"]}, id="from"),
        pytest.param({"outputs": {"charge": {}}}, id="outputs"),
        pytest.param({"skip": ["charge"]}, id="skip"),
    ],
)
def test_s280_a_person_decides_on_what_may_not_be_repeated(
    charge: JsonObject, endings: Any, text: str, named: JsonObject
) -> None:
    raw = spec(undoable("charge", **charge), python("ship", after=["charge"]))
    run = play(raw, ship=[raises(), returns({})], **endings).finish()
    run.rerun(**named)
    if named:
        assert run.finish().status.phase == "Succeeded"
    else:
        run.step()
        assert run.condition("Accepted")[0] == "False"
        assert text in run.condition("Accepted")[2]


def test_s281_a_round_begins_when_everything_is_undone() -> None:
    run = until_verdict(play(saga(), ship=[raises(), returns({})]))
    run.rerun()
    run.step()
    run.step()
    assert run.status.round == 1
    assert "round 2 begins when compensation has ended" in run.condition("Succeeded")[2]
    while run.status.round == 1:
        pass_on(run)
    assert len(undone(run)) == 3
    assert run.finish().status.phase == "Succeeded"


def test_s281_a_compensation_that_the_next_spec_removes_is_cancelled() -> None:
    run = until_verdict(play(saga(), ship=[raises(), returns({})]))
    nodes = [{k: v for k, v in n.items() if k != "compensate"} for n in run.spec["nodes"]]
    run.edit(nodes=nodes, rerun={"round": 2})
    while run.status.round == 1 and not run.finished:
        pass_on(run)
    assert not undone(run)
    assert run.finish().status.phase == "Succeeded"
    assert run.node("charge").disposition == "Reused"


def test_s285_inputs_that_a_round_has_changed_are_not_made_up() -> None:
    """A node with effect: once is kept although its inputs are other ones now."""
    raw = spec(
        python("quote"),
        undoable(
            "charge",
            effect="once",
            inputs={"amount": "${nodes.quote.output.amount}"},
            undo={"inputs": {"amount": "${self.inputs.amount}"}},
        ),
        python("ship", dependsOn=["charge"]),
    )
    run = play(raw, quote=[returns({"amount": 1}), returns({"amount": 2})], ship=[raises()])
    run.spec = {**run.spec, "nodes": [{**n} for n in raw["nodes"]]}
    without = [{k: v for k, v in n.items() if k != "compensate"} for n in raw["nodes"]]
    run.edit(nodes=without).finish()
    run.edit(nodes=raw["nodes"], rerun={"round": 2, "from": ["quote"]}).finish()
    assert run.node("charge").disposition == "Reused"
    entry = run.node("charge/compensate")
    assert (entry.phase, entry.reason) == ("Failed", "InputInvalid")
    assert "a later round changed the inputs of charge" in (entry.message or "")


@pytest.mark.parametrize("after", range(4))
def test_s272_a_crash_in_any_pass_undoes_nothing_twice(after: int) -> None:
    run = play(saga(), ship=[raises()])
    finish_crashing(run, after=after % 3)
    started = {key: count for key, count in run.executions.items() if "/" in key[0]}
    assert started == {(f"{name}/compensate", 1): 1 for name in ("charge", "hotel", "flight")}


def test_s270_a_container_undoes_a_container() -> None:
    raw = spec(
        container("reserve", compensate={"container": {"image": "undo:1", "args": ["x"]}}),
        python("ship", dependsOn=["reserve"]),
    )
    run = Play(raw, endings={"ship": [raises()], "reserve": [returns({})]}).finish()
    assert run.phases["reserve/compensate"] == "Succeeded"


def test_s278_a_cancel_stops_compensations_whose_definition_is_lost() -> None:
    """The update that requests the next round is not valid, so what runs can only be stopped."""
    run = until_verdict(play(saga(), ship=[raises()], charge__compensate=[never_ends()]))
    for _ in range(4):
        pass_on(run)
    assert run.phases["charge/compensate"] == "Running"
    broken = [python("broken", dependsOn=["none"])]
    run.edit(nodes=broken, cancel=True, skipFinally=True, rerun={"round": 2})
    run.finish()
    assert run.phases["charge/compensate"] == "Cancelled"
    assert run.phases["hotel/compensate"] == "Cancelled"
    assert run.status.phase == "Failed", "the verdict stays"
    assert run.condition("CompensationSucceeded")[0] == "False"
