"""What happens on the way to a provider: bodies that are cut or lie about their length, statuses
that are none, redirects, errors in every form."""

import gzip
import json
from pathlib import Path

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import WorkFailed
from waypost_agent.provider import provider_http

from tests.agent.malformed import DONE, body, play
from tests.agent.pods import KEY
from tests.agent.replies import Call, answer, reply
from tests.runner.servers import Reply, raw

WHOLE = json.dumps(body()).encode()
OK = "HTTP/1.1 200 OK\nContent-Type: application/json\n"
ZIPPED = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))

TAKEN = [
    pytest.param(raw(f"{OK}\n", WHOLE), id="no-length"),
    pytest.param(
        raw(f"HTTP/1.1 100 Continue\n\n{OK}Content-Length: {len(WHOLE)}\n\n", WHOLE), id="100"),
    pytest.param(
        raw(f"HTTP/1.1 103 Early Hints\nLink: </x>\n\n{OK}Content-Length: {len(WHOLE)}\n\n", WHOLE),
        id="103"),
    pytest.param(Reply(body=gzip.compress(WHOLE), headers=ZIPPED), id="gzip"),
    pytest.param(Reply(body=b"\n\n   " + WHOLE), id="keep-alive-spaces"),
    pytest.param(Reply(body=b"\xef\xbb\xbf" + WHOLE), id="byte-order-mark"),
    pytest.param(Reply(body=WHOLE, headers=(("Content-Type", "text/html; charset=latin-1"),)),
                 id="content-type"),
    pytest.param(Reply(body=WHOLE.replace(b"1760000000", b"NaN")), id="nan"),
]  # fmt: skip


@pytest.mark.parametrize("first", TAKEN)
def test_an_answer_that_is_whole_is_taken(
    first: Reply, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [first], tmp_path, monkeypatch)
    assert (outcome.output, len(outcome.asked)) == ("hello", 1)


CHUNK = b"%x\r\n" % len(WHOLE)
DAMAGED = [
    pytest.param(raw(f"{OK}Content-Length: 99999\n\n", WHOLE), "cut or damaged", id="length"),
    pytest.param(raw(f"{OK}Transfer-Encoding: chunked\n\n", CHUNK + WHOLE[:50]), "cut or damaged",
                 id="chunk"),
    pytest.param(raw(f"{OK}Transfer-Encoding: chunked\n\n", CHUNK + WHOLE + b"\r\n"),
                 "cut or damaged", id="last-chunk"),
    pytest.param(raw(f"{OK}Transfer-Encoding: chunked\n\n", b"zz\r\n" + WHOLE), "cut or damaged",
                 id="chunk-size"),
    pytest.param(Reply(body=WHOLE, headers=ZIPPED), "cut or damaged", id="no-gzip"),
    pytest.param(Reply(body=gzip.compress(WHOLE)[:-20], headers=ZIPPED), "was cut", id="gzip-cut"),
    pytest.param(raw(f"{OK}Content-Length: 20\n\n", WHOLE), "was cut: Expecting", id="short"),
    pytest.param(Reply(body=WHOLE.replace(b"hello", b"caf\xe9")), "no UTF-8 at byte",
                 id="latin-1"),
    pytest.param(Reply(body=WHOLE + b"\n" + WHOLE), "Extra data", id="two-documents"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "words"), DAMAGED)
def test_an_answer_that_was_cut_is_asked_for_again_and_counted(
    first: Reply, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider may have charged it: tokens are estimated, so that limits hold."""
    outcome = play("OpenAI", [first, DONE["OpenAI"]], tmp_path, monkeypatch)
    assert outcome.output == "done"
    assert (outcome.usage.model_calls, outcome.usage.estimated_model_calls) == (2, 1)
    failed = play("OpenAI", [first], tmp_path, monkeypatch)
    assert words in failed.failure[1]
    assert "(4 tries)" in failed.failure[1]
    limited = play("OpenAI", [first], tmp_path, monkeypatch, limits={"requests": 2})
    assert limited.failure[0] is Reason.BUDGET_EXCEEDED


def test_an_answer_is_not_unpacked_beyond_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = Reply(body=gzip.compress(b" " * 100_000_000), headers=ZIPPED)
    outcome = play("OpenAI", [bomb], tmp_path, monkeypatch)
    limit = provider_http._ANSWER_BYTES // 1024**2
    assert f"the answer is larger than {limit} MiB" in outcome.failure[1]


DAMAGED_ERRORS = [
    pytest.param(Reply(401, b"no", ZIPPED), id="no-gzip"),
    pytest.param(Reply(401, gzip.compress(b"no")[:-9], ZIPPED), id="gzip-cut"),
    pytest.param(raw("HTTP/1.1 401 No\nContent-Length: 99\n\n", b"no"), id="cut"),
    pytest.param(raw("HTTP/1.1 401 No\nTransfer-Encoding: chunked\n\n", b"9\r\nno"), id="chunk"),
]


@pytest.mark.parametrize("first", DAMAGED_ERRORS)
@pytest.mark.parametrize("type_", ["OpenAI", "Anthropic", "Google"])
def test_an_error_counts_though_its_body_is_damaged(
    type_: str, first: Reply, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play(type_, [first], tmp_path, monkeypatch)
    assert "401" in outcome.failure[1]
    assert "put a valid key" in outcome.failure[1]
    assert len(outcome.asked) == 1, "not asked again"


NO_ANSWERS = [
    pytest.param(raw("HTTP/1.1 204 No Content\n\n"), "the answer is empty", 1, id="204"),
    pytest.param(raw("HTTP/1.1 101 Switching\nUpgrade: h2c\n\n"), "no connection", 4, id="101"),
    pytest.param(raw("HTTP/1.1 102 Processing\n\n"), "no connection", 4, id="102-only"),
    pytest.param(raw("SSH-2.0-OpenSSH\n"), "no connection", 4, id="no-http"),
    pytest.param(raw(f"{OK}X: {'y' * 200_000}\n\n", WHOLE), "no connection", 4, id="large-head"),
    pytest.param(raw(f"{OK}Content-Length: -5\n\n", WHOLE), "Content-Length", 4, id="minus-length"),
    pytest.param(raw("HTTP/1.1 304 Not Modified\n\n"), "answered 304", 1, id="304"),
    pytest.param(Reply(status=307, headers=(("Location", "/v1/chat/completions?key=k"),)),
                 "/v1/chat/completions), which is not followed; check the ModelProvider's baseURL",
                 1, id="redirect-loop"),
    pytest.param(Reply(status=301, headers=(("Location", "https://u:p@other.example/"),)),
                 "answered 301 (a redirect to https://other.example/), which is not followed", 1,
                 id="redirect-to-another-host"),
    pytest.param(Reply(body=b"[]"), "the answer begins '[]'", 1, id="list"),
    pytest.param(Reply(body=b"[" + WHOLE + b"," + WHOLE + b"]"), "the answer begins '[{", 1,
                 id="list-of-two"),
    pytest.param(Reply(body=b"\x1f\x8b\x08\x00"), "is not a chat completion", 1, id="binary"),
    pytest.param(Reply(body=b'{"choices":' + b"[" * 100_000), "is not a chat completion", 1,
                 id="deep"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "words", "asked"), NO_ANSWERS)
def test_what_is_no_answer_is_named(
    first: Reply, words: str, asked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [first], tmp_path, monkeypatch)
    assert outcome.failure[0] is Reason.PROVIDER_ERROR
    assert words in outcome.failure[1]
    assert len(outcome.asked) == asked
    assert "\x08" not in outcome.failure[1]
    assert "u:p" not in outcome.failure[1]
    assert outcome.usage.model_calls == 0


ECHOES = [
    pytest.param(reply({"error": {"message": f"{'x' * 289} {KEY}"}}), id="error"),
    pytest.param(Reply(body=f"{'x' * 189} {KEY}".encode()), id="page"),
    pytest.param(Reply(body=f"{{{'x' * 188} {KEY}".encode()), id="no-json"),
]


@pytest.mark.parametrize("first", ECHOES)
def test_no_part_of_a_key_is_shown_where_an_answer_is_cut(
    first: Reply, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [first], tmp_path, monkeypatch)
    assert "xxx" in outcome.failure[1]
    assert KEY[:6] not in outcome.failure[1]
    assert KEY[:6] not in str(outcome.result.trace)


def test_a_long_finish_reason_is_judged_and_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"error: {'x' * 49} {KEY}"
    outcome = play("OpenAI", [answer("OpenAI", "So", finish=said)], tmp_path, monkeypatch)
    assert f"its finish reason is a text of {len(said)} characters" in outcome.failure[1]
    assert KEY[:3] not in outcome.failure[1] + str(outcome.result.trace)


SLOW = {"error": {"message": "slow down"}}
WAITS = [
    pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", id="a-date-in-the-past"),
    pytest.param("-5", id="negative"),
    pytest.param("NaN", id="nan"),
    pytest.param("inf", id="infinity"),
    pytest.param("soon", id="word"),
    pytest.param("0", id="zero"),
    pytest.param("5ms", id="unit"),
]


@pytest.mark.parametrize("value", WAITS)
def test_a_retry_after_that_is_no_time_is_passed_over(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = reply(SLOW, status=429, **{"Retry-After": value})
    outcome = play("OpenAI", [slow, DONE["OpenAI"]], tmp_path, monkeypatch)
    assert (outcome.output, outcome.usage.provider_waits) == ("done", 1)


@pytest.mark.parametrize("value", ["99999999999", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_a_retry_after_beyond_patience_is_left_to_the_operator(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = reply(SLOW, status=429, **{"Retry-After": value})
    outcome = play("OpenAI", [slow], tmp_path, monkeypatch)
    assert outcome.failure == (Reason.RATE_LIMITED, "model any: 429: slow down")
    assert isinstance(outcome.result, WorkFailed)
    assert outcome.result.retry_after is not None
    assert outcome.result.retry_after > 3600


ERRORS = [
    pytest.param(reply([{"error": {"code": 429, "message": "no"}}]), "429: no", True, id="list"),
    pytest.param(reply({"object": "error", "message": "loading", "code": 503}), "503: loading",
                 True, id="bare"),
    pytest.param(reply({"detail": "model is loading"}), "model is loading", True, id="detail"),
    pytest.param(reply({"success": False, "errors": [{"code": 7003, "message": "no route"}]}),
                 "no route", True, id="errors"),
    pytest.param(reply({"error": "quota gone"}), "quota gone", True, id="text"),
    pytest.param(reply({"error": {"code": 401, "message": "who?"}}), "401: who?", False, id="401"),
    pytest.param(reply(b"<html>520", status=520), "520: <html>520", True, id="520"),
    pytest.param(reply(b"caf\xe9", status=500), "500: caf", True, id="latin-1"),
    pytest.param(reply({"error": {"message": "a\0b\ud800c\x1b[31m"}}, status=500),
                 "500: a\ufffdb\ufffdc\ufffd[31m", True, id="control-characters"),
    pytest.param(reply(None, status=500), "status 500", True, id="null"),
    pytest.param(reply({"error": {"message": "x" * 5_000_000}}, status=500), "500: ", True,
                 id="5-MB"),
    pytest.param(reply(b"too big", status=413), "longer than the model takes: 413", False,
                 id="413"),
    pytest.param(reply({"detail": [{"msg": "teapot"}]}, status=418), "teapot", False, id="418"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "words", "again"), ERRORS)
def test_an_error_in_any_form_has_its_words_and_its_retry(
    first: Reply, words: str, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = play("OpenAI", [first, DONE["OpenAI"]], tmp_path, monkeypatch)
    if again:
        assert outcome.output == "done"
        assert outcome.usage.model_calls == 1
        assert outcome.result.trace is not None
        assert words in outcome.result.trace.entries[0]["error"]
    else:
        assert words in outcome.failure[1]


def test_a_key_that_expires_keeps_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = [answer("OpenAI", "", Call("send", f'{{"text": "{n}"}}', f"c{n}")) for n in range(3)]
    expired = reply({"error": {"message": "token expired"}}, status=401)
    outcome = play("OpenAI", [*turns, expired], tmp_path, monkeypatch)
    assert "401: token expired; put a valid key" in outcome.failure[1]
    assert (outcome.usage.model_calls, outcome.usage.tool_calls) == (3, 3)
    assert outcome.deeds == ["send 0", "send 1", "send 2"]
