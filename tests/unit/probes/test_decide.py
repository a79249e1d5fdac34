"""Probes, judged without a cluster: what is asked, and what is said of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waypost.probes.decide import Look, Step, step, underway
from waypost.probes.job import ProbeSettings, image_of, probe_job, probe_name
from waypost.probes.subject import Subject, SubjectKind, subject
from waypost.protocol.probe import (
    MESSAGE_LIMIT,
    TOOL_PREFIX,
    ProbeReason,
    Verdict,
    decode,
    encode,
    lines_digest,
    tool_lines,
    tools_in,
)

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
SETTINGS = ProbeSettings(runner_image="runner:1", agent_image="agent:1")
PROVIDER = {"type": "OpenAI", "apiKey": {"name": "openai", "key": "k"}}
STDIO = {"stdio": {"command": ["mcp-server-time"]}}


def observed(kind: SubjectKind = "ModelProvider", spec: Any = PROVIDER, **metadata: Any) -> Subject:
    body = {
        "metadata": {
            "name": "default",
            "namespace": "team",
            "uid": "u-1",
            "generation": 1,
            "resourceVersion": "7",
            **metadata,
        },
        "spec": spec,
    }
    found = subject(kind, body)
    assert found is not None
    return found


def after(before: Subject, found: Step) -> Subject:
    """The subject once the step is written."""
    return replace(before, status=found.status)


def ready(found: Step) -> tuple[str, str, str]:
    condition = found.status.conditions[0]
    return condition.status, condition.reason, condition.message


REFUSED_SPECS = [
    pytest.param({"type": "Future"}, "spec.type: expected 'OpenAI'", id="type"),
    pytest.param({}, "spec.type: is missing", id="nothing"),
    pytest.param({**PROVIDER, "next": 1}, "spec.next: unknown field", id="of-another-release"),
    pytest.param([], "spec.type: is missing", id="no-object"),
]


@pytest.mark.parametrize(("spec", "says"), REFUSED_SPECS)
def test_a_spec_that_cannot_be_read_is_said_and_not_probed(spec: Any, says: str) -> None:
    found = step(observed(spec=spec), None, NOW, SETTINGS)
    assert ready(found)[:2] == ("False", "InvalidSpec")
    assert ready(found)[2].startswith(says)
    assert found.launch is None


def test_a_body_that_is_none_is_no_subject() -> None:
    assert subject("ToolServer", None) is None
    assert subject("ToolServer", {"metadata": {"name": "x"}}) is None


def test_a_status_that_cannot_be_read_is_found_out_again() -> None:
    body = {"metadata": {"uid": "u", "name": "n"}, "spec": PROVIDER, "status": {"probe": 5}}
    found = subject("ModelProvider", body)
    assert found is not None
    assert found.status.probe is None


def test_without_an_agent_image_servers_are_not_probed() -> None:
    bare = ProbeSettings(runner_image="runner:1", agent_image="")
    found = step(observed("ToolServer", STDIO), None, NOW, bare)
    assert ready(found)[:2] == ("Unknown", "NoAgentImage")
    assert found.launch is None
    assert step(observed(), None, NOW, bare).launch is not None


IMAGES = [
    pytest.param("ModelProvider", PROVIDER, "runner:1", id="provider"),
    pytest.param("ToolServer", STDIO, "agent:1", id="program"),
    pytest.param(
        "ToolServer", {"stdio": {"command": ["x"], "image": "own:2"}}, "own:2", id="own-image"
    ),
    pytest.param("ToolServer", {"http": {"url": "http://x"}}, "agent:1", id="address"),
]


@pytest.mark.parametrize(("kind", "spec", "image"), IMAGES)
def test_the_image_is_the_one_that_can_ask(kind: SubjectKind, spec: Any, image: str) -> None:
    assert image_of(observed(kind, spec), SETTINGS) == image


@given(name=st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", fullmatch=True))
def test_a_job_s_name_is_a_label_value(name: str) -> None:
    found = probe_name(observed(name=name), 12345)
    assert len(found) <= 63
    assert found[0] != "-"
    assert "." not in found


def test_a_number_names_one_job_and_a_namesake_another() -> None:
    names = {probe_name(observed(uid=uid), number) for uid in ("u-1", "u-2") for number in (1, 2)}
    assert len(names) == 4


def test_the_same_observation_gives_the_same_step() -> None:
    first = step(observed(), None, NOW, SETTINGS)
    again = step(after(observed(), first), Look(), NOW, SETTINGS)
    assert underway(after(observed(), first))
    assert again.status == first.status
    assert again.launch == first.launch, "the Job of the recorded probe, under the same name"


def test_a_job_that_vanished_is_not_made_again_much_later() -> None:
    started = after(observed(), step(observed(), None, NOW, SETTINGS))
    found = step(started, Look(), NOW + timedelta(seconds=30), SETTINGS)
    assert found.launch is None
    assert ready(found)[1] == "ProbeFailed"


def test_a_probe_that_nobody_hears_of_is_given_up() -> None:
    started = after(observed(), step(observed(), None, NOW, SETTINGS))
    found = step(started, Look(job=True), NOW + timedelta(seconds=200), SETTINGS)
    assert started.status.probe is not None
    assert found.stop == started.status.probe.job
    assert ready(found)[:2] == ("Unknown", "ProbeFailed")


def test_nothing_is_begun_for_what_is_being_deleted() -> None:
    found = step(observed(deletionTimestamp="2026-11-23T07:00:00Z"), None, NOW, SETTINGS)
    assert (found.launch, found.wake_at) == (None, None)


def test_dollars_in_headers_and_commands_stay_what_they_are() -> None:
    spec = {"stdio": {"command": ["sh", "-c", "echo $(A) $HOME"]}}
    job = probe_job(observed("ToolServer", spec), 1, SETTINGS)
    template = job["spec"]["template"]
    assert "$(A)" in template["metadata"]["annotations"]["waypost.dev/probe-request"]
    assert "$" not in str(template["spec"]["containers"][0]["command"])


@given(
    message=st.text(max_size=6000),
    names=st.lists(st.text(min_size=1, max_size=253), max_size=200),
)
def test_a_verdict_always_fits_and_comes_back(message: str, names: list[str]) -> None:
    verdict = Verdict(ProbeReason.UNKNOWN_MODELS, message, 7, tuple(names))
    encoded = encode(verdict)
    assert len(encoded) <= MESSAGE_LIMIT
    found = decode(encoded.decode())
    assert found is not None
    assert message.startswith(found.message)
    assert tuple(names[: len(found.unknown)]) == found.unknown


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", '{"v":1}', '{"v":1,"reason":"Answered","found":-1}', "{" * 9999],
)
def test_what_is_no_verdict_is_none(text: str) -> None:
    assert decode(text) is None


def test_a_schema_that_is_too_big_is_left_out_of_its_tool() -> None:
    big = {"name": "big", "inputSchema": {"description": "x" * 9000}}
    small = {"name": "small", "inputSchema": {"type": "object"}}
    reported = [json.loads(line.removeprefix(TOOL_PREFIX)) for line in tool_lines([big, small])]
    assert reported == [{"name": "big"}, small]


def test_tools_end_where_the_status_is_full() -> None:
    lines = tool_lines({"name": f"t{n}", "inputSchema": {"d": "x" * 4000}} for n in range(100))
    assert 64 * 1024 - 8 * 1024 < sum(map(len, lines)) <= 64 * 1024
    assert 16 < len(lines) < 100, "the last ones without a schema"


@given(
    st.lists(
        st.fixed_dictionaries(
            {"name": st.text(min_size=1, max_size=64), "description": st.text(max_size=600)},
            optional={"inputSchema": st.dictionaries(st.text(), st.text(max_size=4000))},
        ),
        max_size=150,
    )
)
def test_tools_come_back_from_a_log(tools: list[dict[str, Any]]) -> None:
    lines = tool_lines(tools)
    verdict = Verdict(ProbeReason.ANSWERED, "", len(tools), (), len(lines), lines_digest(lines))
    reported = tools_in("\n".join(["noise", *lines, "more noise"]), verdict)
    assert reported is not None
    assert [tool["name"] for tool in reported] == [tool["name"] for tool in tools[: len(reported)]]
    assert sum(map(len, lines)) <= 64 * 1024
    assert max(map(len, lines), default=0) <= 8 * 1024
