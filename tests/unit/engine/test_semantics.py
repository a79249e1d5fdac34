"""The statements of docs/semantics.md, played: what the engine promises to users.

Ids begin with the label of the statement.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from waypost.api.base import JsonObject, JsonValue
from waypost.api.meta import ANNOTATION_REQUEST
from waypost.compiler.definition import define

from tests.support.builders import container, gate, python, spec, wait
from tests.support.play import Ending, Play, evicted, raises, returns, writes


@dataclass(frozen=True)
class Case:
    """A run played to its end, and what it must have come to."""

    nodes: tuple[JsonObject, ...]
    phases: Mapping[str, str]
    reason: str
    endings: Mapping[str, list[Ending]] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    fields: Mapping[str, JsonValue] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    run: str = "Succeeded"
    run_reason: str = ""
    outputs: Any = None


def case(id: str, *nodes: JsonObject, reason: str, phases: str, **more: Any) -> Any:
    """One statement; `phases` reads `a=Succeeded b=Skipped`."""
    expected = dict(pair.split("=") for pair in phases.split())
    return pytest.param(Case(nodes=nodes, phases=expected, reason=reason, **more), id=id)


BOOM = [raises()]
SKIPPED = python("x", when="${false}")
TOLERATED = python("x", onFailure="Continue")


TABLE = [
    case(
        "S34-hard-after-skip",
        SKIPPED,
        python("y", inputs={"v": "${nodes.x.output}"}),
        phases="x=Skipped y=Skipped",
        reasons={"x": "ConditionFalse", "y": "DependencySkipped"},
        reason="a node that needs a skipped node's output cannot run",
    ),
    case(
        "S34-depends-on-after-skip",
        SKIPPED,
        python("y", dependsOn=["x"]),
        python("z", dependsOn=["y"]),
        phases="x=Skipped y=Skipped z=Skipped",
        reasons={"y": "DependencySkipped", "z": "DependencySkipped"},
        reason="dependsOn is hard, and skips go down the chain",
    ),
    case(
        "S34-hard-after-tolerated-failure",
        TOLERATED,
        python("y", inputs={"v": "${nodes.x.output}"}),
        phases="x=Failed y=Skipped",
        reasons={"x": "NodeError", "y": "DependencyFailed"},
        endings={"x": BOOM},
        run_reason="CompletedWithFailures",
        reason="without a fallback there is nothing to run on, but the run may still succeed",
    ),
    case(
        "S30-hard-after-fallback",
        python("x", onFailure="Continue", fallbackOutput={"v": 7}),
        python("y", inputs={"v": "${nodes.x.output.v}"}),
        phases="x=Failed y=Succeeded",
        endings={"x": BOOM},
        fields={"outputs": {"v": "${nodes.x.output.v}"}},
        outputs={"v": 7},
        run_reason="CompletedWithFailures",
        reason="dependants run on fallbackOutput while the phase stays Failed",
    ),
    case(
        "S40-failure-fails-the-run",
        python("x"),
        python("y", dependsOn=["x"]),
        python("z", dependsOn=["w"]),
        wait("w"),
        phases="x=Failed y=Skipped z=Cancelled w=Cancelled",
        reasons={"y": "DependencyFailed", "z": "Cancelled", "w": "Cancelled"},
        endings={"x": BOOM},
        run="Failed",
        run_reason="NodeError",
        reason="downstream is Skipped, what has nothing to do with it is Cancelled",
    ),
    case(
        "S40-running-siblings-finish",
        python("x"),
        python("s"),
        phases="x=Failed s=Succeeded",
        endings={"x": BOOM},
        run="Failed",
        reason="what runs when another node fails is finished and recorded",
    ),
    case(
        "S40-open-gate-is-withdrawn",
        python("x"),
        gate("ok"),
        phases="x=Failed ok=Cancelled",
        endings={"x": BOOM},
        run="Failed",
        reason="nobody is asked about a run that has failed",
    ),
    case(
        "S31-soft-after-success",
        python("x"),
        python("y", inputs={"v": "${has(nodes.x.output) ? nodes.x.output : 0}"}),
        phases="x=Succeeded y=Succeeded",
        reason="a soft join runs after a success",
    ),
    case(
        "S31-soft-join-after-skip",
        SKIPPED,
        python("y", inputs={"v": "${has(nodes.x.output)}"}),
        phases="x=Skipped y=Succeeded",
        reason="a soft join runs after a skip",
    ),
    case(
        "S31-soft-after-tolerated-failure",
        TOLERATED,
        python("y", inputs={"why": "${nodes.x.error.reason}", "phase": "${nodes.x.phase}"}),
        phases="x=Failed y=Succeeded",
        endings={"x": BOOM},
        fields={"outputs": {"why": "${nodes.x.error.reason}"}},
        outputs={"why": "NodeError"},
        run_reason="CompletedWithFailures",
        reason="a soft join runs after a tolerated failure and sees why",
    ),
    case(
        "S31-after-is-soft",
        SKIPPED,
        python("y", after=["x"]),
        phases="x=Skipped y=Succeeded",
        reason="after orders, it does not need success",
    ),
    case(
        "S31-exclusive-branches-join",
        python("left", when="${inputs.n > 1}"),
        python("right", when="${inputs.n <= 1}"),
        python("join", inputs={"v": "${nodes.left.?output.or(nodes.right.?output)}"}),
        phases="left=Skipped right=Succeeded join=Succeeded",
        fields={"inputs": {"n": 1}},
        reason="an if and an else meet again in a soft join",
    ),
    case(
        "S32-soft-and-hard-is-soft",
        SKIPPED,
        python("y", inputs={"a": "${has(nodes.x.output)}", "b": "${nodes.x.output.v}"}),
        phases="x=Skipped y=Failed",
        reasons={"y": "InputInvalid"},
        run="Failed",
        run_reason="InputInvalid",
        reason="referred to both ways x is soft; the unguarded use then finds nothing",
    ),
    case(
        "S32-depends-on-beats-soft",
        SKIPPED,
        python("y", dependsOn=["x"], inputs={"a": "${has(nodes.x.output)}"}),
        phases="x=Skipped y=Skipped",
        reasons={"y": "DependencySkipped"},
        reason="dependsOn says outright that x must have succeeded",
    ),
    case(
        "S35-has-output-that-is-null",
        python("x"),
        python("y", inputs={"has": "${has(nodes.x.output)}"}),
        phases="x=Succeeded y=Succeeded",
        endings={"x": [returns(None)]},
        fields={"outputs": {"has": "${has(nodes.x.output)}"}},
        outputs={"has": True},
        reason="null is an output",
    ),
    case(
        "S35-has-output-of-null-fallback",
        python("x", onFailure="Continue", fallbackOutput=None),
        python("y", dependsOn=["x"]),
        phases="x=Failed y=Succeeded",
        endings={"x": BOOM},
        fields={"outputs": {"has": "${has(nodes.x.output)}"}},
        outputs={"has": True},
        run_reason="CompletedWithFailures",
        reason="a fallback of null is one",
    ),
    case(
        "S35-no-output-after-skip",
        SKIPPED,
        phases="x=Skipped",
        fields={"outputs": {"has": "${has(nodes.x.output)}"}},
        outputs={"has": False},
        reason="a skipped node has no output",
    ),
    case(
        "S33-dependencies-before-when",
        SKIPPED,
        python("y", dependsOn=["x"], when="${int(run.name) == 1}"),
        phases="x=Skipped y=Skipped",
        reasons={"y": "DependencySkipped"},
        reason="when is not evaluated for a node whose dependency was skipped",
    ),
    case(
        "S33-when-before-inputs",
        python("y", when="${false}", inputs={"v": "${inputs.a.missing}"}),
        fields={"inputs": {"a": {}}},
        phases="y=Skipped",
        reasons={"y": "ConditionFalse"},
        reason="inputs are not evaluated for a node whose when is false",
    ),
    case(
        "S33-error-in-when-fails",
        python("y", when="${inputs.a.missing == 'Approved'}"),
        fields={"inputs": {"a": {}}},
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        run="Failed",
        reason="an error in a condition must neither skip nor open",
    ),
    case(
        "S33-when-must-be-a-boolean",
        python("y", when="${inputs.n}"),
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        fields={"inputs": {"n": "true"}},
        run="Failed",
        reason="the text true is not true",
    ),
    case(
        "S33-input-schema-last",
        python(
            "y",
            inputs={"n": "${dyn(inputs.n)}"},
            inputSchema={"type": "object", "properties": {"n": {"type": "string"}}},
        ),
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        fields={"inputs": {"n": 1}},
        run="Failed",
        reason="inputs are checked before any pod starts",
    ),
    case(
        "S36-when-false-on-approval",
        gate("ok", when="${false}"),
        wait("w", when="${false}"),
        phases="ok=Skipped w=Skipped",
        reason="no Approval is created and no timer starts",
    ),
    case(
        "S14-absent-property-unguarded",
        python("x"),
        python("y", inputs={"v": "${nodes.x.output.missing}"}),
        phases="x=Succeeded y=Failed",
        reasons={"y": "InputInvalid"},
        run="Failed",
        reason="an absent property fails the node that reads it",
    ),
    case(
        "S14-absent-optional-leaves-the-key-out",
        python("x"),
        python(
            "y",
            inputs={"v": "${nodes.x.output.?missing}"},
            inputSchema={"type": "object", "maxProperties": 0},
        ),
        phases="x=Succeeded y=Succeeded",
        reason="an empty optional leaves its key out",
    ),
    case(
        "S13-null-in-args-refused",
        container("y", args=["${inputs.v}"]),
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        fields={"inputs": {"v": None}},
        run="Failed",
        reason="null has no text in args",
    ),
    case(
        "S13-null-in-env-refused",
        python("y", env=[{"name": "V", "value": "${inputs.v}"}]),
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        fields={"inputs": {"v": None}},
        run="Failed",
        reason="null has no text in env",
    ),
    case(
        "S13-nul-in-args-refused",
        container("y", args=["${inputs.v}"]),
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        fields={"inputs": {"v": "a\0b"}},
        run="Failed",
        reason="execve cannot take a NUL character",
    ),
    case(
        "S13-nul-in-env-refused",
        python("y", env=[{"name": "V", "value": "x${inputs.v}"}]),
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        fields={"inputs": {"v": "a\0b"}},
        run="Failed",
        reason="execve cannot take a NUL character",
    ),
    case(
        "S13-long-args-refused",
        container("y", args=["${inputs.v}"]),
        phases="y=Failed",
        reasons={"y": "InputInvalid"},
        fields={"inputs": {"v": "x" * 131_072}},
        run="Failed",
        reason="execve cannot take an argument of 128 KiB",
    ),
    case(
        "S13-nul-in-inputs-is-carried",
        container("y", inputs={"v": "${inputs.v}"}),
        phases="y=Succeeded",
        fields={"inputs": {"v": "a\0b"}, "outputs": {"v": "${inputs.v}"}},
        outputs={"v": "a\0b"},
        reason="files and JSON can hold a NUL character",
    ),
    case(
        "S62-run-input-defaults",
        python("y", inputs={"v": "${inputs.deep.n}"}),
        phases="y=Succeeded",
        fields={
            "inputs": {"deep": {}},
            "inputSchema": {
                "properties": {"deep": {"type": "object", "properties": {"n": {"default": 3}}}}
            },
            "outputs": {"n": "${inputs.deep.n}"},
        },
        outputs={"n": 3},
        reason="defaults of inputSchema are applied, nested ones too",
    ),
    case(
        "S53-once-is-not-repeated",
        python("x", effect="once", retry={"limit": 3}),
        phases="x=Failed",
        reasons={"x": "NodeError"},
        endings={"x": [raises(), returns(1)]},
        run="Failed",
        reason="effect: once forbids a second attempt once the program may have started",
    ),
    case(
        "S53-once-and-disrupted-is-unknown",
        container("x", effect="once"),
        phases="x=Failed",
        reasons={"x": "UnknownEffect"},
        endings={"x": [evicted(), writes("1")]},
        run="Failed",
        reason="nobody knows whether it took effect, so a person must look",
    ),
    case(
        "S53-never-is-once",
        python("x", retry={"never": True}),
        phases="x=Failed",
        reasons={"x": "UnknownEffect"},
        endings={"x": [evicted(), returns(1)]},
        run="Failed",
        reason="retry.never is an alias of effect: once",
    ),
    case(
        "S50-limit-counts-extra-attempts",
        python("x", retry={"limit": 2}),
        phases="x=Succeeded",
        endings={"x": [raises(), raises(), returns(1)]},
        reason="limit 2 means three attempts in all",
    ),
    case(
        "S50-limit-is-a-limit",
        python("x", retry={"limit": 1}),
        phases="x=Failed",
        endings={"x": [raises(), raises(), returns(1)]},
        run="Failed",
        reason="limit 1 does not give a third attempt",
    ),
    case(
        "S50-limit-from-defaults",
        python("x"),
        phases="x=Succeeded",
        fields={"defaults": {"retry": {"limit": 1}}},
        endings={"x": [raises(), returns(1)]},
        reason="defaults.retry holds for nodes without their own",
    ),
    case(
        "S50-never-beats-default-limit",
        python("x", retry={"never": True}),
        phases="x=Failed",
        fields={"defaults": {"retry": {"limit": 5}}},
        endings={"x": [raises(), returns(1)]},
        run="Failed",
        reason="never beats a limit from defaults",
    ),
    case(
        "S51-disruptions-are-not-retries",
        python("x"),
        phases="x=Succeeded",
        endings={"x": [evicted(), evicted(), returns(1)]},
        reason="what the cluster takes away does not use up the user's retries",
    ),
    case(
        "S70-expiry-denies",
        gate("ok", timeout="1h"),
        phases="ok=Failed",
        reasons={"ok": "ApprovalExpired"},
        run="Failed",
        run_reason="ApprovalExpired",
        reason="silence never means yes",
    ),
    case(
        "S70-on-denied-continue-covers-expiry",
        gate("ok", timeout="1h", onDenied="Continue"),
        phases="ok=Succeeded",
        fields={"outputs": {"d": "${nodes.ok.output.decision}", "e": "${nodes.ok.output.expired}"}},
        outputs={"d": "Denied", "e": True},
        reason="onDenied: Continue lets the graph branch on an expiry too",
    ),
    case(
        "S70-on-timeout-fail",
        gate("ok", timeout="1h", onTimeout="Fail", onDenied="Continue"),
        phases="ok=Failed",
        reasons={"ok": "ApprovalExpired"},
        run="Failed",
        reason="onTimeout: Fail fails however a denial is handled",
    ),
    case(
        "S75-denied-fails",
        gate("ok"),
        python("y", dependsOn=["ok"]),
        phases="ok=Failed y=Skipped",
        reasons={"ok": "ApprovalDenied", "y": "DependencyFailed"},
        answers={"ok": {"decision": "Denied", "reason": "not today"}},
        run="Failed",
        run_reason="ApprovalDenied",
        reason="a denial fails the run unless a field says otherwise",
    ),
    case(
        "S71-answer-goes-downstream",
        gate("ok", answerSchema={"type": "object", "required": ["pick"]}),
        python("y", when="${nodes.ok.output.answer.pick == 'b'}"),
        phases="ok=Succeeded y=Succeeded",
        answers={"ok": {"decision": "Approved", "answer": {"pick": "b"}}},
        reason="a human picks a branch with a typed answer",
    ),
    case(
        "S41-tolerated-failures",
        TOLERATED,
        python("z"),
        phases="x=Failed z=Succeeded",
        endings={"x": BOOM},
        run_reason="CompletedWithFailures",
        reason="a tolerated failure is visible in the reason of a success",
    ),
    case(
        "S43-outputs-of-a-failed-run",
        python("a"),
        python("x", dependsOn=["a"]),
        phases="a=Succeeded x=Failed",
        endings={"x": BOOM},
        fields={"outputs": {"a": "${nodes.a.output}", "x": "${nodes.x.output}"}},
        outputs={"a": {"from": "a"}},
        run="Failed",
        reason="outputs whose source is there are given even when the run failed",
    ),
    case(
        "S20-no-schema-any-json",
        python("x"),
        phases="x=Succeeded",
        endings={"x": [returns([None, {"a": 1.5}])]},
        fields={"outputs": {"x": "${nodes.x.output}"}},
        outputs={"x": [None, {"a": 1.5}]},
        reason="without outputSchema any JSON is an output",
    ),
    case(
        "S60-silent-container-succeeded",
        container("x"),
        phases="x=Succeeded",
        endings={"x": [writes("")]},
        fields={"outputs": {"x": "${nodes.x.output}"}},
        outputs={"x": None},
        reason="a container that writes nothing and exits 0 has succeeded with null",
    ),
    case(
        "S10-results-are-data",
        python("x"),
        python("y", inputs={"v": "${nodes.x.output}"}),
        phases="x=Succeeded y=Succeeded",
        endings={"x": [returns("${inputs.secret} $(SECRET)")]},
        fields={"inputs": {"secret": "s"}, "outputs": {"v": "${nodes.x.output}"}},
        outputs={"v": "${inputs.secret} $(SECRET)"},
        reason="what a node returned is never evaluated",
    ),
]


@pytest.mark.parametrize("case", TABLE)
def test_decision_table(case: Case) -> None:
    play = Play(
        spec(*case.nodes, **case.fields), endings=case.endings, answers=case.answers
    ).finish()
    assert play.phases == case.phases, case.reason
    for path, reason in case.reasons.items():
        assert play.node(path).reason == reason, f"{path}: {case.reason}"
    assert play.status.phase == case.run, case.reason
    good, reason, message = play.condition("Succeeded")
    assert good == ("True" if case.run == "Succeeded" else "False"), case.reason
    if case.run_reason:
        assert reason == case.run_reason, f"{message}; {case.reason}"
    if case.outputs is not None or case.fields.get("outputs"):
        assert play.status.outputs == case.outputs, case.reason
    assert play.condition("Finished")[0] == "True", "kubectl wait returns however a run ends"
    assert not any(pod.held for pod in play.pods.values()), "a finished run holds no pod"


def test_s40_one_look_shows_what_failed() -> None:
    play = Play(spec(python("x"), python("y")), endings={"x": BOOM, "y": BOOM}).finish()
    message = play.condition("Succeeded")[2]
    assert message == "x failed: NodeError: boom (and 1 more)", "the message names the first cause"


def test_s40_blame_names_the_cause() -> None:
    play = Play(
        spec(python("x"), python("y", dependsOn=["x"]), python("z", dependsOn=["y"])),
        endings={"x": BOOM},
    ).finish()
    assert play.node("z").message == "x failed", "the root cause, not the neighbour"


def test_s32_message_names_the_node_and_its_phase() -> None:
    play = Play(
        spec(SKIPPED, python("y", inputs={"a": "${has(nodes.x.output)}", "b": "${nodes.x.output}"}))
    ).finish()
    assert "x is Skipped" in (play.node("y").message or ""), "the user sees which guard is missing"


def test_s36_no_objects_for_what_is_skipped() -> None:
    play = Play(spec(gate("ok", when="${false}"), wait("w", when="${false}"))).finish()
    assert play.approvals == {}, "a skipped gate asks nobody"
    assert play.node("w").wake_at is None, "a skipped wait has no timer"


@pytest.mark.parametrize(
    ("duration", "value", "seconds"),
    [
        pytest.param("${inputs.x}s", 90, 90, id="unit-outside"),
        pytest.param("${inputs.x}", "1h30m", 5400, id="whole"),
        pytest.param("${inputs.x}s", 1.5, 1.5, id="fraction"),
        pytest.param("${inputs.x}s", 400000, 400000, id="more-digits-than-in-a-manifest"),
        pytest.param("${string(duration(inputs.x))}", "1m", 60, id="cel-duration"),
        pytest.param("${inputs.x}m${inputs.x}ms", 2, 120.002, id="two-units"),
        pytest.param("${inputs.x * 3.0}s", 0.1, 0.3, id="17-digits-of-a-double"),
        pytest.param("${string(inputs.x)}s", 1000000.0, 1e6, id="exponent-of-a-double"),
        pytest.param("${inputs.x}", "1e3ms", 1, id="exponent-of-milliseconds"),
    ],
)
def test_s76_computed_duration(duration: str, value: JsonValue, seconds: float) -> None:
    play = Play(spec(wait("w", duration=duration), inputs={"x": value}))
    play.step()
    play.step()
    started, ends = play.node("w").started_at, play.node("w").wake_at
    assert started, play.node("w").message
    assert ends
    lasts = datetime.fromisoformat(ends) - datetime.fromisoformat(started)
    assert lasts.total_seconds() == pytest.approx(seconds, abs=0.001)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(90, "expected a duration like 90s, 1.5h or 1h30m, found '90'", id="number"),
        pytest.param("soon", "found 'soon'", id="text"),
        pytest.param("-5s", "found '-5s'", id="negative"),
        pytest.param("2d", "found '2d'", id="days"),
        pytest.param("1.2.3s", "found '1.2.3s'", id="two-points"),
        pytest.param("1es", "found '1es'", id="exponent-without-digits"),
        pytest.param("1e99h", "expected at most 99999h", id="large-exponent"),
        pytest.param("PT5M", "found 'PT5M'", id="iso-8601"),
        pytest.param("1h 30m", "found '1h 30m'", id="space"),
        pytest.param("90s\n", "found '90s", id="line-break"),
        pytest.param("NaNs", "found 'NaNs'", id="nan"),
        pytest.param("Infinitys", "found 'Infinitys'", id="infinity"),
        pytest.param("\u0661s", "found", id="digits-of-another-script"),
        pytest.param("100000h", "expected at most 99999h, found '100000h'", id="too-long"),
        pytest.param("9" * 15 + "h", "expected at most 99999h", id="beyond-all-calendars"),
        pytest.param(None, "null", id="null"),
    ],
)
def test_s76_what_is_no_duration(value: JsonValue, says: str) -> None:
    play = Play(spec(wait("w", duration="${dyn(inputs).x}"), inputs={"x": value})).finish()
    assert (play.phases["w"], play.reasons["w"]) == ("Failed", "InputInvalid")
    message = play.node("w").message or ""
    assert message.startswith("wait.duration: ")
    assert says in message


def test_s14_path_in_the_message() -> None:
    play = Play(spec(python("x"), python("y", inputs={"v": {"deep": "${nodes.x.output.no}"}})))
    assert "inputs.v.deep" in (play.finish().node("y").message or ""), "the field is named"


def test_s11_lone_expression_keeps_its_type() -> None:
    play = Play(
        spec(
            python("y"),
            inputs={"n": 2, "o": {"b": 1, "a": "x"}},
            outputs={"n": "${inputs.n}", "text": "n=${inputs.n} o=${inputs.o}"},
        )
    ).finish()
    assert play.status.outputs == {"n": 2, "text": 'n=2 o={"a":"x","b":1}'}, "S11"


def test_s62_defaults_are_shown_in_status() -> None:
    raw = spec(python("y"), inputs={}, inputSchema={"properties": {"n": {"default": 3}}})
    assert Play(raw).finish().status.inputs == {"n": 3}, "people see what the run really used"
    same = spec(python("y"), inputs={"n": 3}, inputSchema={"properties": {"n": {"default": 3}}})
    assert Play(same).finish().status.inputs is None, "nothing is repeated that stands in the spec"


def test_s62_never_to_outputs() -> None:
    schema = {"type": "object", "properties": {"n": {"default": 3}}}
    play = Play(
        spec(python("x", outputSchema=schema), outputs={"x": "${nodes.x.output}"}),
        endings={"x": [returns({})]},
    ).finish()
    assert play.status.outputs == {"x": {}}, "an output is recorded as it was returned"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": 1, "a": 2}', id="duplicate-keys"),
        pytest.param('{"a": NaN}', id="nan"),
        pytest.param("[Infinity]", id="infinity"),
        pytest.param('{"a": 9007199254740993}', id="beyond-2-53"),
    ],
)
def test_s61_output_that_is_not_ijson(text: str) -> None:
    raw = spec(container("x", outputSchema={"type": ["object", "array"]}))
    play = Play(raw, endings={"x": [writes(text)]}).finish()
    assert play.node("x").reason == "OutputInvalid", "it would not mean the same to its readers"
    assert text[:8] in (play.node("x").message or ""), "the first bytes are shown"


@pytest.mark.parametrize(
    ("format_", "bad", "asserted"),
    [
        pytest.param("date-time", "soon", True, id="date-time"),
        pytest.param("date", "1.1.2026", True, id="date"),
        pytest.param("uri", "no uri", True, id="uri"),
        pytest.param("email", "nobody", True, id="email"),
        pytest.param("uuid", "1-2", True, id="uuid"),
        pytest.param("ipv4", "not an ip", False, id="ipv4-ignored"),
        pytest.param("regex", "(", False, id="regex-ignored"),
    ],
)
def test_s61_formats(format_: str, bad: str, asserted: bool) -> None:
    raw = spec(python("x", outputSchema={"type": "string", "format": format_}))
    play = Play(raw, endings={"x": [returns(bad)]}).finish()
    assert (play.phases["x"] == "Failed") is asserted, "only these five formats are asserted"


def test_s43_left_out_outputs_are_named() -> None:
    play = Play(
        spec(SKIPPED, python("a"), outputs={"x": "${nodes.x.output}", "a": "${nodes.a.output}"})
    ).finish()
    assert play.status.outputs == {"a": {"from": "a"}}, "one missing source spoils one output"
    assert "left out: x" in play.condition("Succeeded")[2], "and is named"


def test_s59_idempotency_key_is_equal_over_attempts() -> None:
    raw = spec(python("x", retry={"limit": 1}, env=[{"name": "K", "value": "${self.attempt}"}]))
    play = Play(raw, endings={"x": [raises(), returns(1)]}).finish()

    def env(number: int, name: str) -> str:
        pod = play.manifests["x", number]["spec"]["template"]["spec"]["containers"][0]
        return str(next(v["value"] for v in pod["env"] if v["name"] == name))

    keys = {env(n, "WAYPOST_IDEMPOTENCY_KEY") for n in (1, 2)}
    assert len(keys) == 1, "a service downstream can tell a repetition by it"
    assert (env(1, "K"), env(2, "K")) == ("1", "2"), "while the attempts differ"


HALF = {"type": "object", "properties": {"n": {"$ref": "#/schemas/Amount"}}}


@pytest.mark.parametrize(
    ("type_", "half"),
    [pytest.param("number", 1.5, id="number"), pytest.param("integer", 1, id="integer")],
)
def test_s16_a_declared_number_divides_as_one(type_: str, half: float) -> None:
    """Whole or not: the API server stores 3.0 as 3."""
    every = python("x", inputs={"n": 3, "h": "${inputs.n / 2}"}, inputSchema=HALF)
    every["python"]["env"] = [{"name": "HALF", "value": "${self.inputs.n / 2}"}]
    raw = spec(
        {**every, "outputSchema": HALF},
        python("y", inputs={"h": "${nodes.x.output.n / 2}"}),
        inputs={"n": 3},
        inputSchema=HALF,
        schemas={"Amount": {"type": type_}},
        outputs={"n": "${inputs.n}"},
    )
    play = Play(raw, endings={"x": [returns({"n": 3})]}).finish()
    asked = [
        json.loads(job["spec"]["template"]["metadata"]["annotations"][ANNOTATION_REQUEST])
        for job in play.manifests.values()
    ]
    assert [request["inputs"]["h"] for request in asked] == [half, half]
    env = play.manifests["x", 1]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "HALF", "value": str(half)} in env
    assert type((play.status.outputs or {})["n"]) is int, "and stays what it was"


def test_s59_idempotency_key_follows_the_input() -> None:
    def key(n: int) -> str:
        play = Play(spec(python("x", inputs={"n": n}))).finish()
        pod = play.manifests["x", 1]["spec"]["template"]["spec"]["containers"][0]
        return str(next(v["value"] for v in pod["env"] if v["name"] == "WAYPOST_IDEMPOTENCY_KEY"))

    assert key(1) != key(2), "another input is another piece of work"


@pytest.mark.parametrize(
    ("raw", "field", "says"),
    [
        pytest.param(
            spec(python("x"), python("y", inputs={"v": "${nodes['x'].output}"})),
            "nodes.y.inputs.v",
            "nodes",
            id="S12-index",
        ),
        pytest.param(
            spec(python("x"), python("y", inputs={"v": "${nodes.all(n, true)}"})),
            "nodes.y.inputs.v",
            "macros run over lists only",
            id="S12-macro",
        ),
        pytest.param(
            spec(gate("ok", onTimeout="Approve")),
            "onTimeout",
            "'Deny', 'Fail' or 'Escalate'",
            id="S70-never-yes",
        ),
        pytest.param(spec(python("x", timeout="1d")), "timeout", "matches", id="S29-days"),
        pytest.param(spec(python("x", timeout="0s")), "timeout", "longer than 0s", id="S29-zero"),
        pytest.param(spec(python("x", repeat={"max": 5})), "repeat", "", id="S95-repeat"),
    ],
)
def test_what_does_not_exist_is_refused(raw: JsonObject, field: str, says: str) -> None:
    problems = define(raw).problems
    assert any(field in p.field and says in p.message for p in problems), (
        f"what does not exist yet is refused by name, never ignored; found {problems}"
    )
