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
    TooLarge,
    decode,
    decode_plain,
    encode,
)

WHOSE = Attempt(run_uid="u", path="scan/3", round=1, attempt=2, pod_uid="p")


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


def test_an_envelope_that_leaves_no_room_is_told() -> None:
    whose = WHOSE._replace(path="p" * LIMIT)
    with pytest.raises(TooLarge):
        encode(CommitRecord(whose, "Failed", None, "NodeError", "m", "t"))


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
