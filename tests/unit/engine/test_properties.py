"""What holds for every run: random graphs, random ends of attempts, crashes between any steps.

The suite is deterministic; `HYPOTHESIS_PROFILE=deep` looks further and at random.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from waypost.api.approval import ApprovalStatus
from waypost.api.base import JsonObject
from waypost.api.status import FINAL_PHASES, AgentWorkflowStatus, NodeStatus
from waypost.compiler.definition import define
from waypost.engine.start import LAUNCHES_PER_PASS
from waypost.engine.state.decision import SettleApproval
from waypost.engine.state.observed import Observed
from waypost.kube.facts.approvals import ApprovalFact
from waypost.kube.facts.jobs import JobFact, WriteProblem
from waypost.kube.facts.pods import PodFact
from waypost.kube.timestamps import timestamp
from waypost.protocol.reasons import Reason

from tests.support import builders
from tests.support.builders import (
    NOW,
    SETTINGS,
    after,
    container,
    gate,
    job_of,
    pod,
    python,
    record,
    spec,
    wait,
    wire_size,
)
from tests.support.passes import decide, required_reads
from tests.support.play import (
    Crash,
    Ending,
    Play,
    evicted,
    launches,
    masked,
    never_ends,
    raises,
    returns,
    writes,
)

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


def bounded(examples: int) -> Callable[[Any], Any]:
    """So many examples, always the same; twenty times as many, at random, in the deep profile."""
    return settings(
        max_examples=examples * 20 if DEEP else examples,
        derandomize=not DEEP,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# --- random runs ---------------------------------------------------------------------------------

_LINKS = (
    "nothing",
    "${nodes.%s.output}",
    "${nodes.%s.output.n}",
    "${has(nodes.%s.output)}",
    "${nodes.%s.phase}",
    "${nodes.%s.?output.?n}",
    "${nodes.%s.error.reason}",
)
# The last one fails when it is evaluated, and only then.
_CONDITIONS = (None, None, None, "${true}", "${false}", "${inputs.flag}", "${int(inputs.text) > 0}")
# What the output of a gate or a wait has in the place of n: its shape is known.
_FIELD = {"approval": "decision", "wait": "until"}
_POD_ENDINGS: tuple[tuple[Ending, Ending], ...] = (  # of a python node, of a container
    (returns({"n": 1}), writes('{"n": 1}')),
    (returns(None), writes("")),
    (returns({"n": "x" * 3000}), writes('{"n": "%s"}' % ("x" * 3000))),
    (raises(), writes("", code=3)),
    (evicted(), evicted()),
    (never_ends(), never_ends()),
    (raises("typed", "OutputInvalid"), writes("{]")),
)
_ANSWERS = ({"decision": "Approved"}, {"decision": "Denied"}, None)


@st.composite
def nodes(draw: st.DrawFn, at: int, earlier: dict[str, str]) -> JsonObject:
    """One node that may depend on those before it, given with their kinds."""
    name = f"n{at}"
    fields: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    before = sorted(earlier)
    for other in draw(st.lists(st.sampled_from(before), max_size=3) if before else st.just([])):
        link = draw(st.sampled_from(_LINKS))
        if "%s" in link:
            field = _FIELD.get(earlier[other], "n")
            inputs[f"k{len(inputs)}"] = (
                (link % other).replace(".n}", f".{field}}}").replace(".?n}", f".?{field}}}")
            )
        else:
            fields.setdefault(draw(st.sampled_from(["dependsOn", "after"])), []).append(other)
    for key in ("dependsOn", "after"):
        if key in fields:
            fields[key] = sorted(set(fields[key]))
    if inputs:
        fields["inputs"] = inputs
    condition = draw(st.sampled_from(_CONDITIONS))
    if condition:
        fields["when"] = condition
    if draw(st.booleans()):
        fields["onFailure"] = "Continue"
        if draw(st.booleans()):
            fields["fallbackOutput"] = draw(st.sampled_from([None, {"n": 2}]))
    kind = draw(st.sampled_from(["python", "python", "container", "gate", "wait"]))
    if kind == "gate":
        denied = draw(st.sampled_from(["Fail", "Continue"]))
        return gate(name, timeout="1h", onDenied=denied, **fields)
    if kind == "wait":
        return wait(name, duration="30s", **fields)
    fields["retry"] = draw(st.sampled_from([{"limit": 0}, {"limit": 2}, {"never": True}]))
    fields["timeout"] = "1m"
    return python(name, **fields) if kind == "python" else container(name, **fields)


@st.composite
def plays(draw: st.DrawFn) -> Play:
    """A run with its script."""
    made: list[JsonObject] = []
    for at in range(draw(st.integers(1, 6))):
        made.append(draw(nodes(at, {n["name"]: list(n)[1] for n in made})))
    endings: dict[str, list[Ending]] = {}
    answers: dict[str, Any] = {}
    for node in made:
        if "approval" in node:
            answer = draw(st.sampled_from(_ANSWERS))
            if answer:
                answers[node["name"]] = answer
        elif "wait" not in node:
            picks = draw(st.lists(st.sampled_from(_POD_ENDINGS), min_size=1, max_size=3))
            endings[node["name"]] = [p[1 if "container" in node else 0] for p in picks]
    last = made[-1]["name"]
    raw = spec(
        *made,
        inputs={"flag": draw(st.booleans()), "text": "no number"},
        parallelism=draw(st.sampled_from([1, 2, 20])),
        outputs={"last": f"${{nodes.{last}.output}}", "flag": "${inputs.flag}"},
    )
    return Play(raw, endings=endings, answers=answers)


def again(play: Play) -> Play:
    """The same run and script, from the beginning."""
    return Play(play.spec, endings=play.endings, answers=play.answers)


# --- what holds after every pass -----------------------------------------------------------------


def check_pass(play: Play, before: AgentWorkflowStatus) -> None:
    """The invariants that one pass could break."""
    known = {entry.path: entry for entry in before.nodes}
    asked = launches(play.decisions[-1])
    assert len(asked) <= LAUNCHES_PER_PASS
    in_pods = [e for e in play.status.nodes if e.phase == "Running"]
    assert len(in_pods) <= play.spec["parallelism"], "parallelism is a promise"
    for entry in play.status.nodes:
        old = known.get(entry.path)
        if old is not None and old.phase in FINAL_PHASES:
            assert (entry.phase, entry.output_digest) == (old.phase, old.output_digest), "I10, I1"
        numbers = [a.number for a in entry.attempts or []]
        assert numbers == sorted(set(numbers)), "I3: attempts in order, none twice"
        assert (entry.attempt or 0) == (numbers[-1] if numbers else 0), "I3: the counter is last"
        if len(numbers) < 6:
            assert numbers == list(range(1, len(numbers) + 1)), "I3: no gaps"
        assert sum(a.finished_at is None for a in entry.attempts or []) <= 1, "one attempt at once"
    check_gates(play)


def check_gates(play: Play) -> None:
    """I8: no Job of a node that needs an approval before that approval is recorded."""
    graph = define(play.spec).graph
    for path, _ in play.manifests:
        for name in graph.dependencies[path].hard:
            if graph.nodes[name].approval is None:
                continue
            denied_is_fine = graph.nodes[name].approval.on_denied == "Continue"  # type: ignore[union-attr]
            fact = play.approvals.get(play.node(name).approval or "")
            states = ("Approved", "Denied") if denied_is_fine else ("Approved",)
            fell_back = "fallbackOutput" in next(n for n in play.spec["nodes"] if n["name"] == name)
            ok = fell_back or (fact is not None and fact.status.state in states)
            assert ok, f"{path} started below {name}"


def run_checked(play: Play, *, passes: int = 300) -> Play:
    """Play to the end and judge every pass."""
    for _ in range(passes):
        before = play.status
        play.step()
        check_pass(play, before)
        if play.finished:
            return play
        play.advance(0.2)
        if play.status == before and play.requeue is not None:
            play.now = max(play.now, play.requeue)
    raise AssertionError(f"I11: no end in sight: {play.phases}")


@bounded(150)
@given(plays())
def test_every_run_ends_and_no_pass_breaks_an_invariant(play: Play) -> None:
    run_checked(play)
    assert play.condition("Finished")[0] == "True"
    assert not any(p.held for p in play.pods.values()), "no finalizer outlives the run"
    assert set(play.phases.values()) <= FINAL_PHASES
    assert wire_size(play.status) <= 256 * 1024
    settled = play.status
    play.advance(5.0)
    late = play.step()  # an answer that came too late is marked as such once (S86)
    assert not late.after
    assert all(isinstance(action, SettleApproval) for action in late.before)
    decision = play.step()
    assert play.status == settled, "I11: a finished run is not written again"
    assert (decision.before, decision.after, decision.requeue_at) == ((), (), None)


@bounded(100)
@given(plays())
def test_deciding_twice_changes_nothing(play: Play) -> None:
    for _ in range(60):
        seen = play.observe()
        first = decide(seen, play.now, SETTINGS)
        repeated = decide(replace(seen, status=first.status), play.now, SETTINGS)
        # An inline output may have become a record: what is loaded then is in the first decision.
        assert repeated.status == first.status, "the same facts and time give the same status"
        assert not [a for a in launches(repeated) if a not in launches(first)], "no new attempts"
        assert decide(seen, play.now, SETTINGS) == first, "decide is a function"
        play.step()
        if play.finished:
            return
        play.advance(0.2)


@bounded(120)
@given(plays(), st.lists(st.integers(0, 4), max_size=12))
def test_a_crash_anywhere_ends_in_the_same_state(play: Play, crashes: list[int]) -> None:
    # Which of two failures is seen first, and whether an approval is answered or withdrawn when
    # the run fails, depends on when a pass happens: such runs are left out.
    nodes = play.spec["nodes"]
    failing = sum(1 for n in nodes if n.get("onFailure") != "Continue")
    asked = any("approval" in n for n in nodes)
    calm = run_checked(again(play))
    assume(calm.status.phase == "Succeeded" or (failing <= 1 and not asked))
    passes = iter(crashes)
    for _ in range(400):
        before = play.status
        crash = next(passes, None)
        try:
            play.step(crash_after=crash)
        except Crash:
            continue  # a new operator looks at once
        if play.finished:
            break
        play.advance(0.2)
        if play.status == before and play.requeue is not None:
            play.now = max(play.now, play.requeue)
    assert masked(play.status) == masked(calm.status), "I4, I7: killed operators leave no trace"
    assert play.executions == calm.executions, "nothing ran once more for it"


@bounded(60)
@given(plays())
def test_retries_have_the_input_of_the_first_attempt(play: Play) -> None:
    run_checked(play)
    for (path, number), manifest in play.manifests.items():
        first = play.manifests[path, 1]
        for name in ("WAYPOST_IDEMPOTENCY_KEY", "WAYPOST_RUN"):
            assert _env(manifest, name) == _env(first, name), f"I6: attempt {number} of {path}"


def _env(manifest: JsonObject, name: str) -> str:
    env = manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(next(v["value"] for v in env if v["name"] == name))


# --- decide is total -----------------------------------------------------------------------------

_MOMENTS = st.integers(-5_000, 5_000).map(after)
_STAMPS = st.none() | _MOMENTS.map(timestamp)
_TEXTS = st.sampled_from(["", "x", "ImagePullBackOff", "CreateContainerConfigError", "Evicted"])
_MESSAGES = st.sampled_from(
    ["", "1", "{", "null", record({"n": 1}, "n0"), "x" * 5000, "\ufffd", '{"v":1}']
)


@st.composite
def pods(draw: st.DrawFn, path: str) -> PodFact:
    """Any pod fact, also of states that no cluster shows."""
    return PodFact(
        name="p",
        uid=draw(st.sampled_from(["u1", "u2", f"pod-{path}-1"])),
        run_uid=builders.RUN_UID,
        path=path,
        attempt=draw(st.integers(1, 3)),
        phase=draw(st.sampled_from(["", "Pending", "Running", "Succeeded", "Failed", "Odd"])),
        held=draw(st.booleans()),
        deleting=draw(st.booleans()),
        scheduled=draw(st.booleans()),
        started_at=draw(st.none() | _MOMENTS),
        finished_at=draw(st.none() | _MOMENTS),
        terminated=draw(st.booleans()),
        exit_code=draw(st.sampled_from([None, 0, 1, 137])),
        terminated_reason=draw(st.sampled_from(["", "OOMKilled", "ContainerStatusUnknown"])),
        message=draw(_MESSAGES),
        waiting_reason=draw(_TEXTS),
        unschedulable=draw(_TEXTS),
        pod_reason=draw(st.sampled_from(["", "Evicted", "DeadlineExceeded", "OutOfcpu"])),
        disruption=draw(_TEXTS),
    )


@st.composite
def checkpoints(draw: st.DrawFn, path: str) -> NodeStatus:
    """Any status of a node that the CRD would hold."""
    phases = ["Pending", "Running", "Waiting", "Backoff", *sorted(FINAL_PHASES)]
    attempts = [
        builders.attempt(
            path,
            number,
            finished_at=draw(_STAMPS),
            stopping=draw(st.none() | st.sampled_from([str(r) for r in Reason])),
        )
        for number in draw(st.sampled_from([[], [1], [1, 2], [1, 3, 4]]))
    ]
    return NodeStatus(
        path=path,
        phase=draw(st.sampled_from(phases)),
        reason=draw(st.none() | st.just("NodeError")),
        attempt=draw(st.none() | st.integers(0, 4)),
        attempts=attempts or None,
        retries=draw(st.none() | st.integers(0, 3)),
        disruptions=draw(st.none() | st.integers(0, 9)),
        output=draw(st.sampled_from([None, {"n": 1}, "x"])),
        approval=draw(st.none() | st.just("ap")),
        wake_at=draw(_STAMPS | st.just("nonsense")),
        started_at=draw(_STAMPS),
        finished_at=draw(_STAMPS),
    )


@st.composite
def approvals(draw: st.DrawFn) -> ApprovalFact:
    """Any Approval."""
    answer: dict[str, Any] = draw(
        st.sampled_from(
            [
                {},
                {"decision": "Approved"},
                {"decision": "Denied", "answer": 1},
                {"decision": "Approved", "answer": 2**60},
                {"votes": {"ann": {"decision": "Approved"}, "eve": {"decision": "Denied"}}},
                {"expiresAt": timestamp(NOW)},
                {"expiresAt": "never", "answerSchema": {"type": "string"}, "decision": "Approved"},
            ]
        )
    )
    made = builders.approval(
        status=ApprovalStatus.model_validate(
            {
                "state": draw(st.sampled_from(["Open", "Approved", "Denied", "Withdrawn"])),
                "expired": draw(st.none() | st.booleans()),
            }
        ),
        answered_at=draw(st.none() | _MOMENTS),
        owner_uid=draw(st.sampled_from([builders.RUN_UID, ""])),
        **answer,
    )
    return replace(made, spec=draw(st.sampled_from([made.spec, made.spec, None])))


@st.composite
def observations(draw: st.DrawFn) -> Observed:
    """Any run in any state."""
    raw = draw(plays()).spec
    raw |= draw(
        st.sampled_from(
            [{}, {}, {"cancel": True}, {"suspend": True}, {"ttlSecondsAfterFinished": 1}]
        )
    )
    names = [n["name"] for n in raw["nodes"]]
    phase = draw(st.sampled_from(["Pending", "Running", "Rejected", "Failed", "Succeeded"]))
    status = builders.status(
        *[draw(checkpoints(n)) for n in names if draw(st.booleans())],
        phase=phase,
        observed_generation=draw(st.integers(0, 2)),
        cancelled_at=draw(_STAMPS),
        finished_at=draw(_STAMPS) if phase in ("Rejected", "Failed", "Succeeded") else None,
    )
    jobs = {}
    child_problems = {}
    for path in draw(st.lists(st.sampled_from(names), max_size=3)):
        name = job_of(path)
        jobs[name] = JobFact(
            name=name,
            uid="j",
            path=path,
            attempt=1,
            created_at=draw(_MOMENTS),
            suspended=draw(st.booleans()),
            ended=draw(st.booleans()),
            trouble=draw(_TEXTS),
        )
        if draw(st.booleans()):
            child_problems[name] = WriteProblem("refused", permanent=draw(st.booleans()))
    found = draw(st.none() | approvals())
    return builders.observed(
        raw,
        status=status,
        deleting=draw(st.sampled_from([False, False, False, True])),
        tracked=draw(st.booleans()),
        pruned=draw(st.sampled_from([(), ("nodes[0].typo",)])),
        reserved=draw(st.sampled_from([(), ("the label waypost.dev/x has no effect",)])),
        pods=tuple(
            draw(pods(p)) for p in draw(st.lists(st.sampled_from([*names, "gone"]), max_size=4))
        ),
        jobs=jobs,
        child_problems=child_problems,
        approvals={found.name: found} if found else {},
        live=draw(st.booleans()),
        live_at=draw(st.none() | _MOMENTS),
    )


@bounded(250)
@given(observations(), _MOMENTS)
def test_decide_is_total(seen: Observed, now: Any) -> None:
    required_reads(seen, now)
    decision = decide(seen, now, SETTINGS)
    AgentWorkflowStatus.model_validate(decision.status.model_dump(by_alias=True))
    assert len(launches(decision)) <= LAUNCHES_PER_PASS + len(seen.status.nodes)
    if seen.deleting:
        assert decision.status == seen.status, "a run that is being deleted is not written"
        assert not launches(decision), "and starts nothing"
    elif seen.spec is not None and seen.spec.cancel:
        assert not launches(decision), "a cancelled run starts nothing"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
_SPEC_KEYS = st.sampled_from(
    ["nodes", "inputs", "inputSchema", "outputs", "name", "python", "source", "when", "approval"]
)
SPECS = st.recursive(
    JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_SPEC_KEYS, inner, max_size=5),
    max_leaves=15,
)


@bounded(200)
@given(SPECS)
def test_any_spec_is_defined_or_refused(raw: Any) -> None:
    definition = define(raw)
    assert definition.problems or definition.spec is not None
    seen = builders.observed(raw)
    decision = decide(seen, NOW, SETTINGS)
    if definition.problems:
        assert decision.status.phase == "Rejected"
        assert all(p.field and p.message for p in definition.problems)


@bounded(100)
@given(JSON)
def test_any_value_in_any_field_is_defined_or_refused(value: Any) -> None:
    for raw in (
        spec(python("a", inputs={"v": value})),
        spec(python("a"), outputs={"v": value}),
        spec(gate("a", context={"v": value})),
        spec(python("a", onFailure="Continue", fallbackOutput=value)),
        spec(python("a", outputSchema={"const": value})),
        spec(python("a"), inputs={"v": value}),
    ):
        decide(builders.observed(raw), NOW, SETTINGS)


@pytest.mark.parametrize("depth", [70, 2_000, 100_000])
def test_depth_is_no_weapon(depth: int) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    for raw in (
        spec(python("a", inputs={"v": deep})),
        spec(python("a", outputSchema={"enum": deep})),
        {"nodes": deep},
        deep,
    ):
        assert define(raw).problems, "refused, never a crash"


def test_pods_outside_the_graph_are_ignored() -> None:
    stray = pod("gone", attempt=7)
    seen = builders.observed(spec(python("a")), pods=(stray,))
    assert [x.path for x in launches(decide(seen, NOW, SETTINGS))] == ["a"]
