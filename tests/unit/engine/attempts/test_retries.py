"""Retries by class: what another attempt is counted against, for every reason and every effect."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from waypost.api.base import JsonObject
from waypost.api.effects.retry import ExitCodes, RetriedReason
from waypost.api.provider import ModelProviderSpec
from waypost.compiler.definition import define
from waypost.compiler.node_settings import Retries, retries_of
from waypost.engine.attempts.judge import judge_pod
from waypost.engine.attempts.retries import (
    MAX_DISRUPTIONS,
    MAX_LAUNCH_RETRIES,
    MAX_PROVIDER_RETRIES,
    USER_REASONS,
    Again,
    GiveUp,
    RetryClass,
    after_failure,
)
from waypost.engine.state.outcome import Failed, Report
from waypost.protocol.reasons import Reason

from tests.support import builders
from tests.support.builders import (
    agent,
    container,
    exited,
    http,
    job_of,
    node_status,
    pod,
    python,
    running,
    spec,
)
from tests.support.play import Play, launches, never_ends, raises, returns, writes

PROVIDER = {"type": "OpenAI", "baseURL": "https://models.example.com"}
FREE = Retries(limit=5, initial=1, factor=2, max=9, once=False)
ONCE = Retries(limit=5, initial=1, factor=2, max=9, once=True)
OWN = {
    "RateLimited": RetryClass.PROVIDER,
    "KeyMissing": RetryClass.PROVIDER,
    "ContainerRestarted": RetryClass.USER,
    "Disrupted": RetryClass.CLUSTER,
    "NodeLost": RetryClass.CLUSTER,
    "SlotTaken": RetryClass.CLUSTER,
    "Preempted": RetryClass.CLUSTER,
    "Unschedulable": RetryClass.LAUNCH,
    "ImagePull": RetryClass.LAUNCH,
    "PodRejected": RetryClass.LAUNCH,
    "IsolationUnverified": RetryClass.LAUNCH,
}
# Repeated without limit: as often as a queue does it (S553), and until a key exists (S638).
UNCOUNTED = {"Preempted": 1, "KeyMissing": 60}
USERS = {
    "NodeError",
    "OutputInvalid",
    "OutputTooLarge",
    "ArtifactInvalid",
    "ArtifactTooLarge",
    "Timeout",
    "OutOfMemory",
    "OutOfDisk",
    "ResultLost",
    "ProviderError",
    "Refused",
}
CLASSES: dict[str, RetryClass] = OWN | dict.fromkeys(
    USERS, RetryClass.USER
)  # every other reason: none


def broken(
    reason: str, *, started: bool = True, retry_after: float | None = None, message: str = "why"
) -> Failed:
    """An attempt that gave nothing."""
    return Failed(Reason(reason), message, "", started, report=Report(retry_after=retry_after))


def verdict(found: Failed, rules: Retries = FREE, *, seed: str = "s", **used: Any) -> Any:
    """What follows, with these counters in the node's status."""
    return after_failure(retries=rules, status=node_status(**used), failure=found, seed=seed)


@pytest.mark.parametrize("reason", [str(reason) for reason in Reason])
@pytest.mark.parametrize("effect", ["idempotent", "once"])
@pytest.mark.parametrize("started", [True, False], ids=["started", "never-started"])
def test_every_reason_by_class_and_effect(reason: str, effect: str, started: bool) -> None:
    retries = ONCE if effect == "once" else FREE
    found = verdict(broken(reason, started=started), retries)
    budget = CLASSES.get(reason)
    if budget is None:
        assert found == GiveUp(Reason(reason), "why"), "it would end the same way"
    elif effect == "once" and started:
        assert isinstance(found, GiveUp), "S53: no second attempt, whatever the reason"
        unknown = reason in (
            *("Disrupted", "NodeLost", "SlotTaken", "ResultLost", "Preempted"),
            "ContainerRestarted",
        )
        assert (found.reason == Reason.UNKNOWN_EFFECT) is unknown, "a person must look"
    else:
        assert isinstance(found, Again), "E3: what surely never started does not count as once"
        uncounted = reason in UNCOUNTED
        assert (found.retry_class, found.count) == (budget, 0 if uncounted else 1)


def test_the_reasons_that_a_user_may_name() -> None:
    named = USERS | {"RateLimited"}
    assert set(get_args(RetriedReason)) == named
    assert {str(reason) for reason in USER_REASONS} == named, "one list, not two"


LIMITS = {
    RetryClass.USER: 5,
    RetryClass.PROVIDER: MAX_PROVIDER_RETRIES,
    RetryClass.CLUSTER: MAX_DISRUPTIONS,
    RetryClass.LAUNCH: MAX_LAUNCH_RETRIES,
}
COUNTERS = ("retries", "provider_retries", "disruptions", "launch_retries")


@pytest.mark.parametrize(("reason", "seconds"), UNCOUNTED.items(), ids=UNCOUNTED)
def test_s553_s638_what_is_repeated_without_limit(reason: str, seconds: int) -> None:
    used: dict[str, Any] = dict.fromkeys(COUNTERS, 99)
    found = verdict(broken(reason), **used)
    assert isinstance(found, Again)
    assert found.count == 99
    assert seconds <= found.delay.total_seconds() <= seconds * 1.2


@pytest.mark.parametrize(
    ("node", "again"),
    [
        pytest.param(agent("a"), True, id="agent"),
        pytest.param(agent("a", effect="once"), False, id="agent-once"),
        pytest.param(http("a", method="POST"), True, id="nothing-was-posted"),
    ],
)
def test_s638_a_key_that_is_missing_uses_no_retry(node: JsonObject, again: bool) -> None:
    """S638: an agent with effect: once may have done something before it called the model."""
    gone = raises("no Secret", reason="KeyMissing")
    response = {"status": 200, "headers": {}, "body": None}
    play = Play(spec(node), endings={"a": [*[gone] * 9, returns(response)]})
    play.overrides["providers"] = {"main": ModelProviderSpec.model_validate(PROVIDER)}
    play.finish()
    ended = play.node("a")
    expected = ("Succeeded", 10) if again else ("Failed", 1)
    assert (ended.phase, ended.attempt) == expected
    assert (ended.retries, ended.provider_retries) == (None, None)
    assert again or ended.reason == "KeyMissing"


@pytest.mark.parametrize("reason", sorted({*CLASSES} - {*UNCOUNTED}))
def test_each_class_has_its_own_limit(reason: str) -> None:
    budget = CLASSES[reason]
    limit, counter = LIMITS[budget], budget.value
    others: dict[str, Any] = {name: 99 for name in COUNTERS if name != counter}
    last = verdict(broken(reason), **others | {counter: limit - 1})
    assert isinstance(last, Again), "the counters of other classes do not matter"
    assert last.count == limit
    over = verdict(broken(reason), **others | {counter: limit})
    assert isinstance(over, GiveUp)
    assert over.reason == reason, "the reason is that of the last attempt"


def test_busy_providers_use_up_the_users_retries_last() -> None:
    found = verdict(broken("RateLimited"), retries=1, provider_retries=MAX_PROVIDER_RETRIES)
    assert (found.retry_class, found.count) == (RetryClass.USER, 2)


@pytest.mark.parametrize(
    ("reason", "retry_after", "budget", "at_least"),
    [
        pytest.param("RateLimited", 90.0, RetryClass.PROVIDER, 90, id="429"),
        pytest.param("RateLimited", None, RetryClass.PROVIDER, 5, id="429-without-a-time"),
        pytest.param("ProviderError", 90.0, RetryClass.PROVIDER, 90, id="503-that-asks-to-wait"),
        pytest.param(
            "ProviderError", None, RetryClass.USER, 1, id="a-wrong-key-is-not-repeated-so"
        ),
        pytest.param("RateLimited", 1e9, RetryClass.PROVIDER, 3600, id="an-hour-at-most"),
        pytest.param("NodeError", 90.0, RetryClass.USER, 90, id="any-server-that-asks-to-wait"),
    ],
)
def test_retry_after_is_honoured(
    reason: str, retry_after: float | None, budget: RetryClass, at_least: float
) -> None:
    found = verdict(broken(reason, retry_after=retry_after))
    assert found.retry_class == budget
    assert at_least <= found.delay.total_seconds() <= at_least * 1.2


def test_a_provider_that_asks_for_too_much_time_also_in_the_users_retries() -> None:
    found = verdict(broken("ProviderError", retry_after=60.0), provider_retries=5)
    assert (found.retry_class, found.delay.total_seconds() >= 60) == (RetryClass.USER, True)


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("Disrupted", "why; disrupted 6 times, the limit is 5"),
        ("NodeLost", "why; disrupted 6 times, the limit is 5"),
        ("ImagePull", "why; gave up after 3 launches"),
        ("Unschedulable", "why; gave up after 3 launches"),
    ],
)
def test_the_end_says_how_often_it_was_tried(reason: str, says: str) -> None:
    used: dict[str, Any] = {CLASSES[reason].value: LIMITS[CLASSES[reason]]}
    found = verdict(broken(reason), **used)
    assert found == GiveUp(Reason(reason), says)


# --- retry.reasons -------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", sorted(CLASSES))
def test_reasons_narrow_the_users_retries_only(reason: str) -> None:
    some = Retries(5, 1, 2, 9, once=False, reasons=frozenset({Reason.TIMEOUT, Reason.NODE_ERROR}))
    found = verdict(broken(reason), some)
    if CLASSES[reason] is not RetryClass.USER or reason in ("Timeout", "NodeError"):
        assert isinstance(found, Again)
    else:
        text = "why; retry.reasons has only NodeError, Timeout"
        assert found == GiveUp(Reason(reason), text), "it says why it was not tried again"


def test_reasons_are_not_blamed_when_there_was_no_retry_left() -> None:
    some = Retries(1, 1, 2, 9, once=False, reasons=frozenset({Reason.TIMEOUT}))
    assert verdict(broken("NodeError"), some, retries=1).message == "why"


def settings_of(node: JsonObject, **defaults: Any) -> Retries:
    made = define(spec(node, defaults=defaults)).spec
    assert made is not None
    return retries_of(made, made.nodes[0])


@pytest.mark.parametrize(
    ("own", "default", "limit", "once"),
    [
        pytest.param({}, {}, 0, False, id="nothing"),
        pytest.param({}, {"limit": 4}, 4, False, id="default"),
        pytest.param({"limit": 0}, {"limit": 4}, 0, False, id="own-zero"),
        pytest.param({"never": True}, {"limit": 4}, 0, True, id="never-beats-default-limit"),
        pytest.param({}, {"never": True}, 0, True, id="default-never"),
        pytest.param({"limit": 2}, {"never": True}, 2, False, id="own-limit-beats-default-never"),
        pytest.param({"never": False}, {"never": True}, 0, False, id="own-false-beats-never"),
        pytest.param({"backoff": {"factor": 3}}, {"limit": 4}, 4, False, id="field-by-field"),
    ],
)
def test_s50_merge(own: JsonObject, default: JsonObject, limit: int, once: bool) -> None:
    found = settings_of(python("a", retry=own), retry=default)
    assert (found.limit, found.once) == (limit, once)


def test_s50_backoff_merges_field_by_field() -> None:
    own = {"backoff": {"initial": "7s"}}
    default = {"limit": 1, "backoff": {"initial": "1s", "factor": 5}}
    found = settings_of(python("a", retry=own), retry=default)
    assert (found.initial, found.factor, found.max) == (7.0, 5, 300.0)


@pytest.mark.parametrize(
    ("own", "default", "reasons"),
    [
        pytest.param({"limit": 1}, {}, None, id="all"),
        pytest.param({"limit": 1, "reasons": ["Timeout"]}, {}, {"Timeout"}, id="own"),
        pytest.param({"limit": 1}, {"reasons": ["Timeout"]}, {"Timeout"}, id="default"),
        pytest.param(
            {"limit": 1, "reasons": ["Refused"]}, {"reasons": ["Timeout"]}, {"Refused"}, id="whole"
        ),
    ],
)
def test_s50_reasons_merge_as_a_whole(
    own: JsonObject, default: JsonObject, reasons: set[str] | None
) -> None:
    assert settings_of(python("a", retry=own), retry=default).reasons == reasons


@pytest.mark.parametrize(
    ("nodes", "default", "fields"),
    [
        pytest.param([{"reasons": ["Timeout"]}], {}, ["nodes.a.retry.reasons"], id="no-limit"),
        pytest.param(
            [{"limit": 0, "reasons": ["Timeout"]}], {}, ["nodes.a.retry.reasons"], id="zero"
        ),
        pytest.param(
            [{"reasons": ["Timeout"]}], {"never": True}, ["nodes.a.retry.reasons"], id="never"
        ),
        pytest.param([{"reasons": ["Timeout"]}], {"limit": 1}, [], id="limit-from-defaults"),
        pytest.param([{}], {"reasons": ["Timeout"]}, ["defaults.retry.reasons"], id="defaults"),
        pytest.param([{"limit": 1}], {"reasons": ["Timeout"]}, [], id="a-node-has-a-limit"),
    ],
)
def test_s52_reasons_without_a_retry_are_refused(
    nodes: list[JsonObject], default: JsonObject, fields: list[str]
) -> None:
    made = [python("abc"[at], retry=retry) for at, retry in enumerate(nodes)]
    found = define(spec(*made, defaults={"retry": default})).problems
    assert [problem.field for problem in found] == fields
    assert all("retry.limit" in problem.message for problem in found), "it says what to do"


@pytest.mark.parametrize("reason", ["Disrupted", "ImagePull", "Cancelled", "Boom"])
def test_other_reasons_cannot_be_named(reason: str) -> None:
    found = define(spec(python("a", retry={"limit": 1, "reasons": [reason]}))).problems
    assert found, "they have separate limits"
    assert found[0].field == "nodes[0].retry.reasons[0]"


# --- retry.exitCodes -----------------------------------------------------------------------------

ONLY_75 = {"retry": [75]}
NOT_78 = {"fail": [2, 78]}


@pytest.mark.parametrize(
    ("codes", "reasons", "code", "says"),
    [
        pytest.param(ONLY_75, None, 75, None, id="listed"),
        pytest.param(ONLY_75, None, 3, "retry.exitCodes.retry has only 75", id="not-listed"),
        pytest.param(ONLY_75, ["Timeout"], 75, None, id="listed-whatever-reasons"),
        pytest.param(NOT_78, None, 78, "retry.exitCodes.fail has 78", id="fails"),
        pytest.param(NOT_78, None, 3, None, id="does-not-fail"),
        pytest.param(None, ["Timeout"], 3, "retry.reasons has only Timeout", id="reasons-alone"),
        pytest.param(NOT_78, ["NodeError"], 78, "retry.exitCodes.fail has 78", id="fail-is-first"),
        pytest.param(None, None, 3, None, id="none-listed"),
    ],
)
def test_s49_exit_codes_in_a_run(
    codes: JsonObject | None, reasons: list[str] | None, code: int, says: str | None
) -> None:
    retry: JsonObject = {"limit": 1}
    retry |= ({"exitCodes": codes} if codes else {}) | ({"reasons": reasons} if reasons else {})
    ends = [writes("", code), writes("1")]
    play = Play(spec(container("a", retry=retry)), endings={"a": ends}).finish()
    if says is None:
        assert (play.phases["a"], play.node("a").retries) == ("Succeeded", 1)
    else:
        assert play.phases["a"] == "Failed"
        assert play.node("a").message == f"exit code {code}; {says}"


@pytest.mark.parametrize("reason", sorted(USERS - {"NodeError"}))
def test_s49_other_failures_follow_reasons(reason: str) -> None:
    codes = ExitCodes(retry=[75])
    some = Retries(5, 1, 2, 9, once=False, reasons=frozenset({Reason.TIMEOUT}), exit_codes=codes)
    assert isinstance(verdict(broken(reason), some), Again) == (reason == "Timeout")


def test_s49_no_exit_code_beats_limit_or_effect_once() -> None:
    codes, found = ExitCodes(retry=[75]), replace(broken("NodeError"), exit_code=75)
    spent = Retries(1, 1, 2, 9, once=False, exit_codes=codes)
    assert verdict(found, spent, retries=1) == GiveUp(Reason.NODE_ERROR, "why")
    once = Retries(5, 1, 2, 9, once=True, exit_codes=codes)
    assert verdict(found, once) == GiveUp(Reason.NODE_ERROR, "why")


def test_s49_the_exit_code_is_visible_to_later_nodes() -> None:
    after = python("b", when="${nodes.a.error.?exitCode == optional.of(78)}")
    node = container("a", retry={"limit": 3, "exitCodes": NOT_78}, onFailure="Continue")
    play = Play(spec(node, after), endings={"a": [writes("", 3), writes("", 78)]}).finish()
    assert (play.phases["a"], play.phases["b"]) == ("Failed", "Succeeded")
    codes = [attempt.exit_code for attempt in play.node("a").attempts or []]
    assert codes == [3, 78]


def test_s49_defaults_are_for_container_nodes() -> None:
    default = {"limit": 2, "exitCodes": ONLY_75}
    assert settings_of(container("a"), retry=default).exit_codes == ExitCodes(retry=[75])
    made = define(spec(python("a"), container("b"), defaults={"retry": default})).spec
    assert made is not None
    assert retries_of(made, made.nodes[0]).exit_codes is None
    own = settings_of(container("a", retry={"exitCodes": NOT_78}), retry=default)
    assert own.exit_codes == ExitCodes(fail=[2, 78]), "as a whole"


@pytest.mark.parametrize(
    ("node", "default", "field", "says"),
    [
        pytest.param(
            python("a", retry={"limit": 1, "exitCodes": ONLY_75}),
            {},
            "nodes.a.retry.exitCodes",
            "is only used with container; use retry.reasons",
            id="python",
        ),
        pytest.param(
            container("a", retry={"exitCodes": ONLY_75}),
            {},
            "nodes.a.retry.exitCodes",
            "set retry.limit",
            id="no-limit",
        ),
        pytest.param(
            container("a", retry={"limit": 1, "exitCodes": {}}),
            {},
            "nodes.a.retry.exitCodes",
            "expected exactly one of retry, fail",
            id="neither",
        ),
        pytest.param(
            container("a", retry={"limit": 1, "exitCodes": ONLY_75 | NOT_78}),
            {},
            "nodes.a.retry.exitCodes",
            "expected exactly one of retry, fail",
            id="both",
        ),
        pytest.param(
            python("a"),
            {"limit": 1, "exitCodes": ONLY_75},
            "defaults.retry.exitCodes",
            "no node is one",
            id="defaults-of-python",
        ),
        pytest.param(
            container("a"),
            {"exitCodes": ONLY_75},
            "defaults.retry.exitCodes",
            "set retry.limit",
            id="defaults-no-limit",
        ),
        pytest.param(
            container("a", retry={"limit": 1, "exitCodes": {"fail": [0]}}),
            {},
            "nodes[0].retry.exitCodes.fail[0]",
            "expected at least 1, found 0",
            id="zero-is-success",
        ),
    ],
)
def test_s49_exit_codes_without_effect_are_refused(
    node: JsonObject, default: JsonObject, field: str, says: str
) -> None:
    found = define(spec(node, defaults={"retry": default} if default else {})).problems
    assert [problem.field for problem in found] == [field]
    assert says in found[0].message


# --- waits ---------------------------------------------------------------------------------------


def test_waits_are_spread_by_a_hash() -> None:
    slow = Retries(limit=5, initial=100, factor=2, max=900, once=False)

    def delay(seed: str) -> float:
        found = verdict(broken("NodeError"), slow, seed=seed)
        assert isinstance(found, Again)
        return found.delay.total_seconds()

    assert delay("a") == delay("a"), "the same after a crash"
    found = {delay(str(n)) for n in range(20)}
    assert len(found) > 10, "nodes that failed together do not come back together"
    assert all(100 <= d <= 120 for d in found)


# --- in a run ------------------------------------------------------------------------------------


def stuck(play: Play, **trouble: Any) -> Play:
    """Let every pod that is made wait for this, and play until the node has ended."""
    for _ in range(60):
        play.step()
        if play.finished:
            break
        for uid, found in play.pods.items():
            if not found.over and found.started_at is None:
                play.pods[uid] = pod(found.path, found.attempt, **trouble)
        if play.requeue is not None:
            play.now = max(play.now, play.requeue)
    return play


@pytest.mark.parametrize(
    ("trouble", "reason", "said"),
    [
        pytest.param(
            {"scheduled": False, "unschedulable": "0/3 nodes are available: Insufficient cpu"},
            "Unschedulable",
            "Insufficient cpu",
            id="scheduler",
        ),
        pytest.param(
            {"waiting_reason": "ErrImagePull", "waiting_message": "not found: x:1"},
            "ImagePull",
            "ErrImagePull: not found: x:1",
            id="kubelet",
        ),
    ],
)
def test_a_pod_that_does_not_start_is_launched_anew(trouble: Any, reason: str, said: str) -> None:
    play = stuck(Play(spec(python("a", queueTimeout="2m", retry={"limit": 7}))), **trouble)
    node = play.node("a")
    assert (node.phase, node.reason) == ("Failed", reason)
    assert node.attempt == MAX_LAUNCH_RETRIES + 1
    assert (node.launch_retries, node.retries) == (MAX_LAUNCH_RETRIES, None)
    assert said in (node.message or ""), "in the cluster's own words"
    assert "gave up after 3 launches" in (node.message or "")
    assert [said in (a.message or "") for a in node.attempts or []] == [True] * 3, "each of them"


def test_a_missing_reference_is_not_launched_anew() -> None:
    trouble = {"waiting_reason": "CreateContainerConfigError", "waiting_message": 'secret "s"'}
    play = stuck(Play(spec(python("a", queueTimeout="2m"))), **trouble)
    assert (play.node("a").attempt, play.reasons["a"]) == (1, "MissingReference"), "S63"


def test_a_pod_that_starts_at_last_succeeds() -> None:
    play = Play(spec(python("a", queueTimeout="2m", effect="once")))
    play.step()
    uid = next(iter(play.pods))
    play.pods[uid] = pod("a", scheduled=False, unschedulable="0/1 nodes")
    play.now = builders.after(120)
    for _ in range(3):
        play.step()
        if play.requeue is not None:
            play.now = max(play.now, play.requeue)
    assert [x.attempt for d in play.decisions for x in launches(d)] == [1, 2], "once: it never ran"
    assert play.finish().phases["a"] == "Succeeded"


@pytest.mark.parametrize("effect", ["idempotent", "once"])
@pytest.mark.parametrize("stopping", ["ImagePull", "Unschedulable", "MissingReference"])
def test_s58_a_container_that_started_just_as_it_was_given_up(effect: str, stopping: str) -> None:
    """The stop was decided on an older state of the pod: the program has run after all."""
    over = exited("a", code=143, deleting=True)
    found = judge_pod(
        over,
        kind="container",
        expect=builders.ref(),
        output_schema=None,
        stopping=stopping,
        log=None,
    )
    assert isinstance(found, Failed)
    assert (found.reason, found.started) == (Reason.DISRUPTED, True)
    if effect == "once":
        assert verdict(found, ONCE).reason == Reason.UNKNOWN_EFFECT
    else:
        assert isinstance(verdict(found), Again)


def test_reasons_in_a_run() -> None:
    raw = spec(python("a", retry={"limit": 5, "reasons": ["Timeout"]}))
    ends = [raises("late", "Timeout"), raises("bad", "NodeError"), returns(1)]
    play = Play(raw, endings={"a": ends}).finish()
    assert (play.phases["a"], play.node("a").retries) == ("Failed", 1)
    assert play.node("a").message == "bad; retry.reasons has only Timeout"


def test_a_wait_between_attempts_holds_no_pod() -> None:
    play = Play(spec(python("a", queueTimeout="2m")), endings={"a": [never_ends()]})
    play.step()
    name = job_of("a")
    uid = next(iter(play.pods))
    play.pods[uid] = pod("a", scheduled=False, unschedulable="0/1")
    play.now = builders.after(120)
    play.step()
    assert play.jobs[name].suspended
    play.step()
    assert play.phases["a"] == "Backoff"
    assert [p for p in play.pods.values() if not p.over] == []
    assert running("a").started_at is not None
