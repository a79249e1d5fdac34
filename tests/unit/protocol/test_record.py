"""The commit record: always below the kubelet's limit, never taken from anybody else."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.protocol import ijson
from waypost.protocol.record import (
    LIMIT,
    Attempt,
    CommitRecord,
    RecordProblem,
    Stored,
    TooLarge,
    decode,
    decode_plain,
    encode,
    uncut_size,
)
from waypost.protocol.work import Trace, Usage

WHOSE = Attempt(run_uid="u", path="scan/3", round=1, attempt=2, pod_uid="p")

STORED = Stored("sha256:" + "ab" * 32, 300_000)


def stored(**change: Any) -> str:
    """A record whose output is at the gateway, with some of it changed."""
    body = ijson.parse(encode(CommitRecord(WHOSE, "Succeeded", stored=STORED)))
    return ijson.canonical({**body, **change}).decode()


def written(output: Any = None) -> str:
    return encode(CommitRecord(WHOSE, "Succeeded", output)).decode()


@settings(deadline=None)  # a loaded machine is not an error
@given(st.text(max_size=6000), st.text(max_size=6000))
def test_a_failure_always_fits_and_reads_back(message: str, tail: str) -> None:
    record = CommitRecord(WHOSE, "Failed", None, "NodeError", message, tail)
    data = encode(record)
    assert len(data) < LIMIT
    found = decode(data.decode(), expect=WHOSE)
    assert isinstance(found, CommitRecord), "a program's own U+FFFD is no cut character"
    assert (found.outcome, found.reason) == ("Failed", "NodeError")
    assert (message or "").encode("utf-8", "replace").decode().startswith(found.message or "")
    assert (tail or "").encode("utf-8", "replace").decode().endswith(found.tail or "")


counts = st.integers(min_value=0, max_value=2**53 - 1)
usages = st.builds(
    Usage,
    model_calls=counts,
    input_tokens=counts,
    cached_tokens=counts,
    output_tokens=counts,
    tool_calls=counts,
    reasks=counts,
    provider_waits=counts,
    replayed_model_calls=counts,
    replayed_tool_calls=counts,
    estimated_model_calls=counts,
    cost_usd=st.none() | st.decimals(0, 10**6, places=6).map(lambda d: f"{d:f}"),
    tools=st.none()
    | st.dictionaries(st.text(max_size=128), st.integers(1, 10**6), min_size=1, max_size=60),
)


@settings(deadline=None)  # a loaded machine is not an error
@given(
    usages,
    st.text(max_size=6000),
    st.none() | st.floats(0, 1e6),
    st.none() | st.booleans(),
    st.none() | usages,
)
def test_usage_always_fits_and_reads_back(
    usage: Usage,
    message: str,
    retry_after: float | None,
    trace: bool | None,
    carried: Usage | None,
) -> None:
    failed = CommitRecord(
        WHOSE, "Failed", None, "RateLimited", message, usage=usage, trace=trace
    )._replace(retry_after_seconds=retry_after)
    kept = CommitRecord(WHOSE, "Succeeded", stored=STORED, usage=usage, trace=trace)
    for record in (failed._replace(carried=carried), kept._replace(carried=carried)):
        data = encode(record)
        assert len(data) < LIMIT
        found = decode(data.decode(), expect=WHOSE)
        assert isinstance(found, CommitRecord), found
        assert (found.usage or Usage())._replace(tools=None) == usage._replace(tools=None)
        tools = (found.usage or Usage()).tools or {}
        assert tools.items() <= (usage.tools or {}).items()
        reported = (found.carried or Usage())._replace(tools=None)
        assert reported == (carried or Usage())._replace(tools=None)
        assert (found.stored, found.trace) == (record.stored, trace)
        assert found.retry_after_seconds == record.retry_after_seconds


def test_the_tools_called_most_are_kept() -> None:
    tools = {f"tool_{n:03}": n + 1 for n in range(200)}
    record = CommitRecord(WHOSE, "Failed", usage=Usage(tool_calls=20100, tools=tools))
    found = decode(encode(record).decode(), expect=WHOSE)
    assert isinstance(found, CommitRecord)
    assert found.usage is not None
    kept = found.usage.tools or {}
    assert set(kept.values()) == set(range(201 - len(kept), 201)), "the rest is in the trace"
    assert len(kept) > 30


def test_a_trace_rides_along_where_it_fits() -> None:
    trace = Trace()
    trace.add("wait", start="2026-01-01T00:00:00.000Z", end="2026-01-01T00:00:01.000Z", seconds=1)
    record = CommitRecord(WHOSE, "Succeeded", {"n": 1}, trace=trace)
    found = decode(encode(record).decode(), expect=WHOSE)
    assert isinstance(found, CommitRecord)
    assert isinstance(found.trace, Trace)
    assert found.trace.to_json() == trace.to_json()
    assert uncut_size(record) == len(encode(record))


def test_an_envelope_that_leaves_no_room_is_told() -> None:
    ref = WHOSE._replace(path="p" * LIMIT)
    with pytest.raises(TooLarge):
        encode(CommitRecord(ref, "Failed", None, "NodeError", "m", "t"))


def test_the_head_of_the_message_and_the_end_of_the_tail_are_kept() -> None:
    record = CommitRecord(WHOSE, "Failed", None, "NodeError", "M" + "m" * 9000, "t" * 9000 + "T")
    found = decode(encode(record).decode(), expect=WHOSE)
    assert isinstance(found, CommitRecord)
    assert (found.message or "").startswith("M")
    assert (found.tail or "").endswith("T")


@pytest.mark.parametrize(
    ("padding", "fits"),
    [pytest.param(3000, True, id="fits"), pytest.param(4000, False, id="does-not-fit")],
)
def test_a_result_is_never_cut(padding: int, fits: bool) -> None:
    record = CommitRecord(WHOSE, "Succeeded", "x" * padding)
    if fits:
        assert len(encode(record)) < LIMIT
    else:
        with pytest.raises(TooLarge) as caught:
            encode(record)
        assert (caught.value.size > caught.value.limit, caught.value.limit) == (True, LIMIT - 1)


@dataclass(frozen=True)
class Refusal:
    message: str
    reason: str


@pytest.mark.parametrize(
    ("case", "why"),
    [
        pytest.param(Refusal("", "Missing"), "nothing was written", id="empty"),
        pytest.param(
            Refusal("x" * LIMIT, "TooLarge"), "the kubelet keeps the tail of it", id="tail"
        ),
        pytest.param(
            Refusal(" " * (LIMIT - 7) + "123456", "Malformed"),
            "a number below the limit is still no record",
            id="plain-number",
        ),
        pytest.param(Refusal('{"v":1,"a":"\ufffd"}', "Malformed"), "a cut character", id="cut"),
        pytest.param(
            Refusal(written({"n": 1}).replace('"v":1', '"v":2'), "Malformed"),
            "a version this operator does not know",
            id="version",
        ),
        pytest.param(
            Refusal(written({"n": 1}).replace('"n":1', '"n":2'), "Malformed"),
            "the output was changed after the digest was made",
            id="digest",
        ),
        pytest.param(
            Refusal(written().replace('"attempt":2', '"attempt":1'), "Foreign"),
            "an earlier attempt's record",
            id="attempt",
        ),
        pytest.param(
            Refusal(written().replace('"podUID":"p"', '"podUID":"q"'), "Foreign"),
            "another pod's record",
            id="pod",
        ),
        pytest.param(
            Refusal(written().replace('"run":"u"', '"run":"w"'), "Foreign"),
            "another run's record",
            id="run",
        ),
        pytest.param(Refusal(stored(digest="sha256:ab"), "Malformed"), "no digest", id="stored"),
        pytest.param(Refusal(stored(size=-1), "Malformed"), "no size", id="stored-size"),
        pytest.param(Refusal(stored(size=True), "Malformed"), "no size", id="stored-true"),
        pytest.param(
            Refusal(stored(stored="yes"), "Malformed"), "neither output nor stored", id="no-output"
        ),
        pytest.param(Refusal(stored(outcome="Done"), "Malformed"), "unknown", id="outcome"),
        pytest.param(
            Refusal(stored(usage={"inputTokens": -5}), "Malformed"),
            "less than nothing would give budget back",
            id="negative-usage",
        ),
        pytest.param(
            Refusal(stored(usage={"costUSD": "-1"}), "Malformed"), "nor money", id="negative-cost"
        ),
        pytest.param(
            Refusal(stored(usage={"costUSD": 0.25}), "Malformed"), "money is text", id="cost"
        ),
        pytest.param(
            Refusal(stored(usage={"tools": {"a": True}}), "Malformed"), "no count", id="tools"
        ),
        pytest.param(Refusal(stored(usage=[]), "Malformed"), "no object", id="usage"),
        pytest.param(
            Refusal(stored(retryAfterSeconds=-1), "Malformed"), "no time", id="retry-after"
        ),
        pytest.param(Refusal(stored(trace={"v": 2}), "Malformed"), "unknown", id="trace-version"),
        pytest.param(
            Refusal(stored(trace={"v": 1, "entries": [{}]}), "Malformed"),
            "no entry",
            id="trace-entry",
        ),
        pytest.param(Refusal("not json", "Malformed"), "no JSON", id="text"),
        pytest.param(Refusal("[1]", "Malformed"), "JSON, but no object", id="list"),
    ],
)
def test_refused_messages(case: Refusal, why: str) -> None:
    found = decode(case.message, expect=WHOSE)
    assert isinstance(found, RecordProblem), why
    assert found.reason == case.reason, (why, found)


@pytest.mark.parametrize(
    "output",
    [
        pytest.param(None, id="null"),
        pytest.param({"n": None, "deep": {"l": [{"y": None}]}}, id="nulls inside"),
        pytest.param("ü€𝄞", id="unicode"),
        pytest.param({"\ufffd": "scraped \ufffd text"}, id="replacement-character-in-the-output"),
        pytest.param(1.5, id="float"),
    ],
)
def test_outputs_read_back(output: Any) -> None:
    found = decode(written(output), expect=WHOSE)
    assert isinstance(found, CommitRecord)
    assert found.output == output


@pytest.mark.parametrize(
    ("message", "value"),
    [
        pytest.param("", None, id="nothing-is-null"),
        pytest.param(" \n", None, id="blank-is-null"),
        pytest.param('{"a": 1}\n', {"a": 1}, id="object"),
        pytest.param("42", 42, id="number"),
    ],
)
def test_plain_output(message: str, value: Any) -> None:
    assert decode_plain(message) == value


def test_plain_text_is_offered_to_a_schema_that_takes_a_string() -> None:
    found = decode_plain("deployed v1.2\n")
    assert isinstance(found, RecordProblem)
    assert (found.reason, found.plain_text) == ("Malformed", "deployed v1.2\n")
    assert "deployed v1.2" in found.message, "the first bytes are shown"


def test_a_plain_output_that_looks_like_a_record_is_plain_output() -> None:
    forged = written({"n": 1})
    assert decode_plain(forged) == ijson.parse(forged), "mode follows the kind, not the content"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param("1" * LIMIT, "TooLarge", id="number: the tail of something longer"),
        pytest.param(" " * LIMIT, "TooLarge", id="blank: what came before was cut off"),
        pytest.param('"\ufffd"', "Malformed", id="bytes that are not UTF-8"),
        pytest.param('{"a":1,"a":2}', "Malformed", id="duplicate key"),
        pytest.param("12345678901234567890", "Malformed", id="unsafe integer"),
        pytest.param("NaN", "Malformed", id="NaN"),
    ],
)
def test_refused_plain_output_is_not_taken_for_text(message: str, reason: str) -> None:
    found = decode_plain(message)
    assert isinstance(found, RecordProblem)
    assert (found.reason, found.plain_text) == (reason, None)
