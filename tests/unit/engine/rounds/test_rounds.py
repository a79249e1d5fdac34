"""Rounds: what a person who raises rerun.round makes of the checkpoints (S84)."""

import json
from dataclasses import replace

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.compiler.definition import define
from waypost.engine.state.decision import ReleasePod, StopAttempt
from waypost.kube.facts.pods import PodFact
from waypost.protocol.work import Usage

from tests.support.builders import (
    SETTINGS,
    agent,
    container,
    gate,
    http,
    python,
    spec,
    wait,
)
from tests.support.passes import decide
from tests.support.play import (
    Play,
    evicted,
    launches,
    never_ends,
    raises,
    returns,
    uses,
    writes,
)

CHAIN = spec(
    python("a"),
    python("b", inputs={"v": "${nodes.a.output}"}),
    python("c", inputs={"v": "${nodes.b.output}"}),
    python("side"),
)
DONE = {
    "type": "object",
    "properties": {"done": {"type": "boolean"}},
    "required": ["done"],
}
FAILS_ONCE = {"b": [raises(), returns(2)]}


def dispositions(play: Play) -> dict[str, str | None]:
    return {entry.path: entry.disposition for entry in play.status.nodes}


def begun(play: Play) -> Play:
    """One pass, in which the round begins."""
    play.step()
    return play


def failed_chain() -> Play:
    play = Play(CHAIN, endings=FAILS_ONCE).finish()
    assert play.phases["b"] == "Failed"
    return play


def test_failed_nodes_and_what_comes_after_them_run_again() -> None:
    play = failed_chain()
    before = {path: play.node(path) for path in ("a", "side")}
    play.rerun().finish()
    assert play.phases == dict.fromkeys(("a", "b", "c", "side"), "Succeeded")
    assert dispositions(play) == {"a": "Reused", "b": "Rerun", "c": "Rerun", "side": "Reused"}
    for path, old in before.items():
        now = play.node(path)
        assert (now.attempt, now.attempts) == (old.attempt, old.attempts), "I7"
        assert (now.output, now.output_digest) == (old.output, old.output_digest)
    assert play.node("b").attempt == 2, "numbers run on, they never restart"
    assert [a.round for a in play.node("b").attempts or []] == [None, 2]
    assert play.status.round == 2
    assert play.condition("Succeeded")[0] == "True"


def test_the_history_of_rounds_is_kept_and_bounded() -> None:
    play = Play(CHAIN, endings={"b": [raises()]}).finish()
    for _ in range(12):
        play.rerun().finish()
    rounds = play.status.rounds or []
    assert [r.round for r in rounds] == list(range(3, 13)), "the latest ten before this one"
    assert {r.phase for r in rounds} == {"Failed"}
    assert all(r.message and "b failed" in r.message for r in rounds)
    assert play.node("b").attempt == 13
    assert len(play.node("b").attempts or []) == 6


@pytest.mark.parametrize(
    ("edited", "rerun"),
    [
        pytest.param({}, set(), id="nothing"),
        pytest.param({"inputs": {"v": "${nodes.a.output}", "w": 1}}, {"b", "c"}, id="inputs"),
        pytest.param(
            {"python": {"source": "def run(**inputs):\n    return 2\n"}}, {"b", "c"}, id="source"
        ),
        pytest.param({"when": "${true}"}, {"b", "c"}, id="when"),
        pytest.param({"inputSchema": {"type": "object"}}, {"b", "c"}, id="input-schema"),
        pytest.param({"outputSchema": {}}, {"b", "c"}, id="output-schema"),
        pytest.param({"retry": {"limit": 3}}, set(), id="retry-is-not-what-it-does"),
        pytest.param({"timeout": "3m"}, set(), id="timeout-is-not-what-it-does"),
        pytest.param({"queueTimeout": "3m"}, set(), id="queue-timeout-is-not-what-it-does"),
        pytest.param({"onFailure": "Continue"}, set(), id="on-failure-is-not-what-it-does"),
        pytest.param({"effect": "none"}, set(), id="effect-is-not-what-it-does"),
        pytest.param({"after": ["side"]}, set(), id="order-is-not-what-it-does"),
    ],
)
def test_an_edited_node_and_its_dependants_run_again(edited: JsonObject, rerun: set[str]) -> None:
    play = Play(CHAIN).finish()
    play.edit_node("b", **edited).rerun().finish()
    again = {path for path, disposition in dispositions(play).items() if disposition == "Rerun"}
    assert again == rerun
    assert {p for p in play.phases if play.node(p).attempt == 2} == rerun


@pytest.mark.parametrize(
    ("fields", "edited", "rerun"),
    [
        pytest.param(
            {"inputs": {"x": 1, "y": 1}}, {"inputs": {"x": 2, "y": 1}}, {"x"}, id="run-input"
        ),
        pytest.param(
            {"inputs": {"x": 1, "y": 1}}, {"inputs": {"x": 1, "y": 1, "z": 1}}, set(), id="unused"
        ),
        pytest.param(
            {"inputs": {"x": 1}, "inputSchema": {"properties": {"y": {"default": 1}}}},
            {"inputSchema": {"properties": {"y": {"default": 2}}}},
            {"y"},
            id="default-of-a-run-input",
        ),
    ],
)
def test_a_run_input_concerns_the_nodes_that_read_it(
    fields: JsonObject, edited: JsonObject, rerun: set[str]
) -> None:
    raw = spec(
        python("x", inputs={"v": "${inputs.x}"}),
        python("y", inputs={"v": "${inputs.y}"}),
        **fields,
    )
    play = Play(raw).finish()
    play.edit(**edited).rerun().finish()
    assert {p for p, disposition in dispositions(play).items() if disposition == "Rerun"} == rerun


def test_a_module_concerns_the_nodes_that_mention_it() -> None:
    raw = spec(
        python("a", source="import tools\ndef run():\n    return tools.f()\n"),
        python("b"),
        modules={"tools": "import deep\ndef f():\n    return deep.g()\n", "deep": "G = 1\n"},
    )
    play = Play(raw).finish()
    play.edit(modules={**raw["modules"], "deep": "G = 2\n"}).rerun().finish()
    assert dispositions(play) == {"a": "Rerun", "b": "Reused"}


def test_from_names_nodes_that_succeeded() -> None:
    play = Play(CHAIN).finish()
    keys = [key_of(play, "b", 1)]
    play.rerun(**{"from": ["b"]}).finish()
    assert dispositions(play) == {"a": "Reused", "b": "Rerun", "c": "Rerun", "side": "Reused"}
    assert play.node("b").repeats == 1
    assert play.node("c").repeats is None, "the person named b"
    keys.append(key_of(play, "b", 2))
    play.rerun(**{"from": ["a"]}).finish()
    keys.append(key_of(play, "b", 3))
    assert keys[0] != keys[1] == keys[2], "S59: new only when the person asks for a repetition"


def key_of(play: Play, path: str, attempt: int) -> str:
    pod = play.manifests[path, attempt]["spec"]["template"]["spec"]["containers"][0]
    return str(next(v["value"] for v in pod["env"] if v["name"] == "WAYPOST_IDEMPOTENCY_KEY"))


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        pytest.param({"from": ["bb"]}, "rerun.from", "did you mean 'b'?", id="typo"),
        pytest.param({"skip": ["x"]}, "rerun.skip", "there is no node 'x'", id="unknown"),
        pytest.param(
            {"from": ["b"], "skip": ["b"]}, "rerun.skip", "is also in rerun.from", id="twice"
        ),
        pytest.param(
            {"outputs": {"ok": {"decision": "Approved"}}},
            "rerun.outputs.ok",
            "only its approvers can answer",
            id="nobody-answers-for-a-gate",
        ),
        pytest.param({"skip": ["ok"]}, "rerun.skip", "only its approvers", id="or-skips-it"),
        pytest.param(
            {"outputs": {"b": "text"}},
            "rerun.outputs.b",
            "does not meet outputSchema of node b",
            id="schema",
        ),
        pytest.param({"round": 1}, "rerun.round", "at least 2, found 1", id="round-1"),
    ],
)
def test_a_wrong_rerun_is_refused_by_field(asked: JsonObject, field: str, says: str) -> None:
    raw = spec(
        python("a"),
        python("b", outputSchema={"type": "object"}),
        gate("ok", dependsOn=["b"]),
        rerun={"round": 2, **asked},
    )
    problems = define(raw).problems
    assert any(p.field == field and says in p.message for p in problems), problems


def test_a_person_gives_a_result() -> None:
    play = Play(CHAIN, endings={"b": [raises()]}).finish()
    play.rerun(outputs={"b": {"by": "hand"}}).finish()
    assert dispositions(play) == {"a": "Reused", "b": "Given", "c": "Rerun", "side": "Reused"}
    assert (play.node("b").output, play.node("b").attempt) == ({"by": "hand"}, 1)
    assert request(play, "c", 1)["inputs"] == {"v": {"by": "hand"}}
    play.rerun(outputs=None).finish()
    assert dispositions(play)["b"] == "Reused", "what was given stands"


def test_a_large_result_of_a_person_is_kept_in_a_record_of_its_own() -> None:
    large = "x" * 3000
    play = Play(CHAIN, endings={"b": [returns("y" * 3000)]}).finish()
    first = play.node("b").output_record
    play.rerun(outputs={"b": large}).finish()
    second = play.node("b").output_record
    assert first != second, "a record never changes"
    assert play.records[second or ""] == large
    assert request(play, "c", 2)["inputs"] == {"v": large}


def test_a_person_leaves_a_node_out() -> None:
    play = Play(CHAIN, endings={"b": [raises()]}).finish()
    play.rerun(skip=["b"]).finish()
    assert (play.phases["b"], play.reasons["b"]) == ("Skipped", "SkippedByUser")
    assert (play.phases["c"], play.reasons["c"]) == ("Skipped", "DependencySkipped")
    assert play.condition("Succeeded")[0] == "True"


def request(play: Play, path: str, attempt: int) -> JsonObject:
    notes = play.manifests[path, attempt]["spec"]["template"]["metadata"]["annotations"]
    found: JsonObject = json.loads(notes["waypost.dev/request"])
    return found


def test_a_running_attempt_of_an_unchanged_node_is_adopted() -> None:
    play = Play(CHAIN, endings={"side": [never_ends()], "a": [raises(), returns(1)]})
    play.step()
    play.advance()
    play.step()
    assert play.phases["side"] == "Running"
    assert play.phases["a"] == "Failed"
    play.endings = {"side": [returns("late")], "a": [raises(), returns(1)]}
    play.rerun().finish()
    assert dispositions(play)["side"] == "Adopted"
    assert play.node("side").attempt == 1
    assert play.node("side").output == "late", "its record names round 1, in which it was launched"


def test_a_running_attempt_of_a_changed_node_is_superseded() -> None:
    play = Play(CHAIN, endings={"b": [never_ends(), returns(2)]})
    play.step()
    play.advance()
    play.step()
    play.advance()
    play.step()
    assert play.phases["b"] == "Running"
    play.edit_node("b", inputs={"v": "${nodes.a.output}", "w": 1}).rerun()
    decision = play.step()
    assert play.phases["b"] == "Superseding"
    assert [type(a) for a in decision.after] == [StopAttempt], "nothing starts beside it (I2)"
    play.finish()
    ends = [(a.number, a.reason) for a in play.node("b").attempts or []]
    assert ends == [(1, "Superseded"), (2, "Succeeded")]
    assert play.executions["b", 1] == 1


def test_the_result_of_a_superseded_attempt_is_not_taken() -> None:
    play = Play(CHAIN, endings={"b": [never_ends(), returns("new")]})
    for _ in range(3):
        play.step()
        play.advance()
    assert play.phases["b"] == "Running"
    play.endings = {"b": [returns("old"), returns("new")]}
    play.advance()  # it ends before the operator sees the round
    play.edit_node("b", inputs={"v": "${nodes.a.output}", "w": 1}).rerun().finish()
    assert play.node("b").output == "new"
    assert all(not pod.held for pod in play.pods.values()), "and nothing holds its pod"


def test_one_write_begins_a_round_of_an_ended_run_and_its_first_attempts() -> None:
    """Nobody may be there to wake the run a second time."""
    play = failed_chain().rerun()
    assert [(a.path, a.attempt) for a in launches(play.step())] == [("b", 2)]
    assert (play.status.round, play.phases["b"]) == (2, "Running")


def test_a_node_runs_again_in_the_pass_that_puts_its_attempt_aside() -> None:
    """On an output that is in a NodeRecord, too: it is loaded for that pass."""
    text = "x" * 3000
    play = Play(CHAIN, endings={"a": [returns(text)], "b": [never_ends(), returns("new")]})
    for _ in range(3):
        play.step()
        play.advance()
    assert play.node("a").output_record is not None
    play.endings = {"b": [returns("old"), returns("new")]}
    play.advance()  # it ends before the operator sees the round
    play.edit_node("b", inputs={"v": "${nodes.a.output}", "w": 1}).rerun()
    assert [(a.path, a.attempt) for a in launches(play.step())] == [("b", 2)]
    play.finish()
    assert play.node("b").output == "new"


def test_rounds_that_follow_at_once_do_not_run_a_node_beside_itself() -> None:
    play = Play(CHAIN, endings={"b": [never_ends(), returns("new")]})
    for _ in range(3):
        play.step()
        play.advance()
    play._stop = lambda effect: None  # type: ignore[method-assign]  # its pod takes its time
    for n in (1, 2, 3):
        play.edit_node("b", inputs={"v": "${nodes.a.output}", "w": n}).rerun()
        assert launches(play.step()) == []
        assert play.phases["b"] == "Superseding"
    del play._stop
    play.finish()
    assert play.node("b").attempt == 2
    assert play.status.round == 4


GATED = spec(
    python("draft"),
    gate("ok", message="Publish ${nodes.draft.output}?"),
    python("publish", when="${nodes.ok.output.decision == 'Approved'}"),
    python("other"),
)
YES = {"ok": {"decision": "Approved"}}


@pytest.mark.parametrize(
    ("edit", "asked", "again"),
    [
        pytest.param({}, {}, False, id="nothing-changed"),
        pytest.param({"other": {"inputs": {"x": 1}}}, {}, False, id="beside-the-gate"),
        pytest.param({"publish": {"inputs": {"x": 1}}}, {}, True, id="what-was-approved"),
        pytest.param({"publish": {"retry": {"limit": 1}}}, {}, True, id="how-it-is-done"),
        pytest.param({"draft": {"inputs": {"x": 1}}}, {}, True, id="what-the-question-shows"),
        pytest.param({}, {"outputs": {"publish": 1}}, True, id="a-result-in-its-place"),
        pytest.param({}, {"skip": ["publish"]}, True, id="left-out"),
    ],
)
def test_a_yes_holds_for_what_it_was_given_to(
    edit: dict[str, JsonObject], asked: JsonObject, again: bool
) -> None:
    play = Play(GATED, endings={"publish": [raises()]}, answers=YES).finish()
    for path, fields in edit.items():
        play.edit_node(path, **fields)
    play.answers = {}
    play.rerun(**asked)
    for _ in range(12):
        play.step()
        play.advance(0.2)
    assert (len(play.approvals) == 2) is again, "B1"
    assert (play.phases["ok"] == "Waiting") is again
    assert (play.executions.get(("publish", 2), 0) == 1) is (not again)


def test_an_open_question_is_withdrawn_when_it_is_asked_anew() -> None:
    play = Play(GATED)
    for _ in range(4):
        play.step()
        play.advance(0.2)
    (first,) = play.approvals
    play.edit_node("publish", inputs={"x": 1}).rerun()
    for _ in range(3):
        play.step()
        play.advance(0.2)
    states = {name: fact.status.state for name, fact in play.approvals.items()}
    assert states.pop(first) == "Withdrawn", "nobody may say yes to what is no longer asked"
    assert list(states.values()) == ["Open"]
    play.answer("ok", decision="Approved")
    play.finish()
    assert play.condition("Succeeded")[0] == "True"


def test_an_open_question_that_stands_stays_open() -> None:
    play = Play(GATED, endings={"other": [raises()]})
    for _ in range(3):
        play.step()
        play.advance(0.2)
    play.edit(onFailure=None)
    play = Play(GATED, endings={"draft": [returns(1)]})
    for _ in range(4):
        play.step()
        play.advance(0.2)
    play.rerun(**{"from": ["other"]})
    play.step()
    assert len(play.approvals) == 1
    assert dispositions(play)["ok"] == "Adopted"
    play.answer("ok", decision="Approved")
    play.finish()
    assert play.condition("Succeeded")[0] == "True"


WRITES_NULL = writes("")
ONCE = spec(
    python("draft"),
    container("push", effect="once", inputs={"v": "${nodes.draft.output}"}),
    python("tell", dependsOn=["push"]),
)


def test_a_once_node_that_broke_off_is_repeated_only_when_it_is_named() -> None:
    play = Play(ONCE, endings={"push": [evicted(), WRITES_NULL]}).finish()
    assert play.reasons["push"] == "UnknownEffect"
    play.rerun()
    before = play.status
    play.step()
    accepted = play.condition("Accepted")
    assert accepted[0] == "False"
    for word in ("push", "effect: once", "rerun.from", "rerun.outputs", "rerun.skip"):
        assert word in accepted[2]
    assert play.status.nodes == before.nodes, "nothing is lost"
    assert play.step().status == play.status, "and it stands still"
    play.edit(rerun={"round": 2, "from": ["push"]}).finish()
    assert play.condition("Succeeded")[0] == "True"
    assert play.executions["push", 2] == 1


def test_a_once_node_that_surely_never_started_may_run() -> None:
    def never(pod: PodFact) -> PodFact:
        return replace(pod, phase="Failed", scheduled=False, started_at=None, deleting=True)

    play = Play(ONCE, endings={"push": [never] * 6 + [WRITES_NULL]}).finish()
    assert play.reasons["push"] == "Disrupted"
    play.rerun().finish()
    assert play.executions["push", 7] == 1, "nobody has to name what cannot have taken effect"
    assert play.condition("Succeeded")[0] == "True"


def test_a_once_node_after_one_that_runs_again_keeps_what_it_did() -> None:
    play = Play(ONCE, endings={"push": [WRITES_NULL], "tell": [raises(), returns(1)]}).finish()
    play.rerun(**{"from": ["draft"]}).finish()
    assert dispositions(play) == {"draft": "Rerun", "push": "Reused", "tell": "Rerun"}
    assert "effect: once" in (play.node("push").disposition_message or "")
    assert play.node("push").attempt == 1


def test_s53_a_once_attempt_that_could_not_start_is_decided_on_again() -> None:
    def unscheduled(pod: PodFact) -> PodFact:
        return replace(pod, phase="Failed", scheduled=False, started_at=None, deleting=True)

    play = Play(ONCE, endings={"push": [never_ends()]})
    play.step()
    play.advance()
    play.step()
    play.rerun(skip=["draft"]).step()
    assert dispositions(play)["push"] == "Adopted"
    play.endings = {"push": [unscheduled]}
    play.advance()
    play.finish()
    assert play.reasons["push"] == "DependencySkipped"
    assert [a.reason for a in play.node("push").attempts or []] == ["Disrupted"]


def test_nodes_come_and_go() -> None:
    play = Play(CHAIN, endings={"b": [never_ends()]})
    for _ in range(3):
        play.step()
        play.advance()
    assert play.phases["b"] == "Running"
    play.spec = spec(python("a"), python("d", inputs={"v": "${nodes.a.output}"}), python("side"))
    decision = begun(play.rerun()).decisions[-1]
    assert {type(a) for a in decision.after} >= {StopAttempt, ReleasePod}
    play.finish()
    assert dispositions(play) == {"a": "Reused", "d": "New", "side": "Reused"}
    assert all(pod.over and not pod.held for pod in play.pods.values())


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(spec(python("a", inputs={"v": "${nodes.x.output}"})), id="a-problem"),
        pytest.param({"nodes": "none"}, id="unreadable"),
    ],
)
def test_a_wrong_spec_loses_nothing_and_can_be_corrected(raw: JsonObject) -> None:
    play = Play(CHAIN, endings={"b": [never_ends()]})
    for _ in range(3):
        play.step()
        play.advance()
    before, good = play.status, play.spec
    play.spec = {**raw, "rerun": {"round": 2}}
    play.generation += 1
    decision = play.step()
    assert play.condition("Accepted")[0] == "False"
    assert play.condition("Stalled")[0] == "True"
    assert play.status.nodes == before.nodes
    assert decision.after == (), "a running attempt keeps its pod, and the pod its result"
    play.spec = good
    play.endings = {"b": [returns("late")]}
    play.rerun().finish()
    assert play.node("b").output == "late", "adopted"
    assert play.condition("Accepted")[0] == "True"


def test_a_copy_of_the_run_from_before_the_round_lets_go_of_nothing_of_it() -> None:
    """One in which the round was refused, and the run had ended."""
    raw = spec(python("a", effect="once"), python("b", dependsOn=["a"]))
    play = Play(raw, endings={"a": [raises()]}).finish()
    play.rerun().step()
    assert play.condition("Accepted")[0] == "False"
    stale = play.observe()
    play.rerun(skip=["a"])
    play.edit_node("b", dependsOn=[], after=["a"])
    assert launches(play.step())
    pods = tuple(play.pods.values())
    assert any(pod.held and pod.path == "b" for pod in pods)
    decision = decide(replace(stale, pods=pods), play.now, SETTINGS)
    released = {a.uid for a in decision.after if isinstance(a, ReleasePod)}
    assert released.isdisjoint(pod.uid for pod in pods if pod.path == "b"), "its result is unread"


def test_i4_a_copy_from_before_a_loop_began_lets_go_of_no_iteration() -> None:
    """The copy is of the same round, in which the loop was still to begin since round 1."""
    until = {"until": "${self.output.done}", "max": 3}
    raw = spec(python("a"), python("b", dependsOn=["a"], repeat=until, outputSchema=DONE))
    play = Play(raw)
    play.step()
    play.rerun().step()
    stale = play.observe()
    assert (play.status.round, play.phases["b"], play.node("b").loop) == (2, "Pending", None)
    play.advance()
    assert launches(play.step())
    new = [pod for pod in play.pods.values() if pod.path == "b/0"]
    assert [(pod.round, pod.held) for pod in new] == [(1, True)]
    decision = decide(replace(stale, pods=(*stale.pods, *new)), play.now, SETTINGS)
    assert decision.status == stale.status, "so the fence of a write does not hold it back"
    assert decision.after == (), "it runs, and its result is unread"


def test_iterations_of_a_node_that_no_longer_repeats_are_let_go() -> None:
    """The node was removed and declared again without `repeat`; a pod of the loop exists."""
    until = {"until": "${self.output.done}", "max": 3}
    loop = python("b", repeat=until, outputSchema=DONE)
    play = Play(spec(python("a"), loop))
    play.step()
    old = next(pod for pod in play.pods.values() if pod.path == "b/0")
    play.spec["nodes"] = [python("a")]
    play.rerun().step()
    play.spec["nodes"] = [python("a"), python("b", dependsOn=["a"])]
    play.rerun().step()
    decision = decide(replace(play.observe(), pods=(old,)), play.now, SETTINGS)
    kinds = {type(each) for each in decision.after if old.name in str(each)}
    assert kinds == {StopAttempt, ReleasePod}


@pytest.mark.parametrize(
    "decided",
    [pytest.param({"skip": ["b"]}, id="skip"), pytest.param({"outputs": {"b": 1}}, id="outputs")],
)
def test_once_is_not_repeated_by_a_round_that_overtakes_a_decision(decided: JsonObject) -> None:
    raw = spec(python("a"), python("b", dependsOn=["a"], effect="once"))
    play = Play(raw, endings={"b": [never_ends(), returns(2)]})
    for _ in range(3):
        play.step()
        play.advance()
    play._stop = lambda effect: None  # type: ignore[method-assign]  # its pod takes its time
    play.rerun(**decided).step()
    assert play.phases["b"] == "Superseding"
    del play._stop
    play.rerun()
    play.step()
    assert "node b has effect: once, had an override in round 2" in play.condition("Accepted")[2]
    play.rerun(**decided).finish()
    assert play.executions["b", 1] == 1
    assert play.node("b").attempt == 1, "S53"
    assert play.status.phase == "Succeeded"


def test_a_finished_run_begins_again_and_says_how() -> None:
    play = failed_chain()
    text = play.condition("Stalled")[2]
    patch = '{"spec":{"rerun":{"round":2}}}'
    assert f"kubectl patch aw brief -n team --type merge -p '{patch}'" in text
    play.rerun(**{"from": ["a"]})
    play.step()
    assert (play.status.phase, play.status.finished_at) == ("Running", None)
    assert play.condition("Finished")[0] == "False"
    play.endings = {"b": [raises()]}
    play.finish()
    assert '{"round":3,"from":null}' in play.condition("Stalled")[2], (
        "a merge patch would keep what was meant for round 2"
    )


def test_a_cancelled_run_is_final() -> None:
    play = Play(CHAIN, endings={"b": [never_ends()]})
    play.step()
    play.edit(cancel=True).finish()
    play.edit(cancel=None).rerun()
    play.step()
    assert play.condition("Accepted")[0] == "False"
    assert "final" in play.condition("Accepted")[2]
    assert play.condition("Finished")[0] == "True"


def test_a_new_run_may_ask_for_a_round_from_the_start() -> None:
    play = Play({**CHAIN, "rerun": {"round": 4, "outputs": {"a": 1}}}).finish()
    assert play.status.round == 4
    assert play.status.rounds is None
    assert play.phases["b"] == "Succeeded"
    assert dispositions(play) == {"a": "Given", "b": None, "c": None, "side": None}


def test_waits_and_skips_are_kept() -> None:
    raw = spec(
        wait("pause", duration="1h"),
        python("no", when="${1 > 2}"),
        python("last", dependsOn=["pause"], after=["no"]),
    )
    play = Play(raw, endings={"last": [raises(), returns(1)]}).finish()
    moment = play.now
    play.rerun().finish()
    assert dispositions(play) == {"pause": "Reused", "no": "Reused", "last": "Rerun"}
    assert (play.now - moment).total_seconds() < 60, "nobody waits a second time"


def model_calls(play: Play) -> int | None:
    return None if play.status.usage is None else play.status.usage.model_calls


def test_usage_of_nodes_that_are_gone_still_counts() -> None:
    play = Play(CHAIN, endings={"side": [uses(Usage(model_calls=3))]}).finish()
    assert model_calls(play) == 3
    play.spec = {**play.spec, "nodes": [n for n in play.spec["nodes"] if n["name"] != "side"]}
    play.rerun().finish()
    assert model_calls(play) == 3


@pytest.mark.parametrize("value", [None, 0, [], {"n": None}], ids=str)
def test_any_value_may_be_given(value: JsonValue) -> None:
    play = Play(CHAIN, endings={"b": [raises()]}).finish()
    play.rerun(outputs={"b": value}).finish()
    assert request(play, "c", 1)["inputs"] == {"v": value}


def test_fingerprints_stay_as_they_are() -> None:
    """An upgrade that changed them would run every kept node again, and bill it."""
    raw = spec(
        python("a", inputs={"v": "${inputs.x}"}, when="${inputs.x > 0}", outputSchema={}),
        agent("b", prompt="Read ${nodes.a.output}.", tools=[{"module": "m", "functions": ["f"]}]),
        http("c", method="POST", body={"v": "${nodes.b.output}"}),
        gate("ok", dependsOn=["c"]),
        container("d", command=["work"], args=["${nodes.ok.output.decision}"]),
        wait("e", dependsOn=["d"]),
        inputs={"x": 1},
        modules={"m": "def f(): ..."},
        defaults={"agent": {"reasks": 1, "settings": {"temperature": 0.5}}},
    )
    assert dict(define(raw).fingerprints) == FINGERPRINTS


FINGERPRINTS = {
    "a": "1:d4e7df227cc837deb6678e989460fc7ab149bf84",
    "b": "1:c04a93591bb6db8f3b3d6d44bd70544668d2a238",
    "c": "1:9af1835eb239a65f669fa364ccf02d9cdaae4939",
    "ok": "1:298b0008137e240841606f0481f061503a0829a7",
    "d": "1:a7293986b6e12c60208f402d90377a76f65ba58e",
    "e": "1:cc048ffa6eea7b75f982645ca836364da41f8f84",
}


def overdue(raw: JsonObject, path: str, result: int) -> Play:
    """A run at its deadline: the first attempt of the node is being stopped, and its pod takes its
    time. The next one would give the result."""
    play = Play({**raw, "deadline": "30s"}, endings={path: [never_ends(), returns(result)]})
    for _ in range(3):
        play.step()
        play.advance(1)
    play._stop = lambda effect: None  # type: ignore[method-assign]
    play.advance(30)
    play.step()
    del play._stop
    attempts = play.node(path).attempts or []
    assert attempts[-1].stopping == "DeadlineExceeded"
    return play


def test_an_attempt_that_is_stopped_for_a_deadline_is_not_adopted() -> None:
    """A round restarts the deadlines: what was being stopped for the old ones runs again."""
    play = overdue(CHAIN, "side", 1)
    play.rerun().finish()
    assert dispositions(play)["side"] == "Rerun"
    assert play.node("side").output == 1


@pytest.mark.parametrize(
    ("decided", "disposition", "output"),
    [
        pytest.param({"from": ["b"]}, "Rerun", 2, id="from"),
        pytest.param({"skip": ["b"]}, "SkippedByUser", None, id="skip"),
        pytest.param({"outputs": {"b": 7}}, "Given", 7, id="outputs"),
    ],
)
def test_once_that_is_stopped_for_a_deadline_is_left_to_a_person(
    decided: JsonObject, disposition: str, output: int | None
) -> None:
    """Nobody knows how far it came; adopted, it would end for a clock that no longer runs."""
    play = overdue(spec(python("a"), python("b", dependsOn=["a"], effect="once")), "b", 2)
    play.rerun().step()
    expected = "node b has effect: once, is being stopped for a deadline"
    assert expected in play.condition("Accepted")[2]
    assert (play.status.round, play.node("b").phase) == (1, "Running"), "it stands still"
    play.edit(rerun={"round": 2, **decided}).finish()
    assert dispositions(play)["b"] == disposition
    assert (play.node("b").output, play.status.phase) == (output, "Succeeded")
