"""HTTP services that misbehave on the wire: nothing that was cut is an output, no request of effect
`once` is sent again, and messages have the server's words and nothing else."""

import gzip
import zlib
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost_node.http import encodings, node

from tests.runner.servers import Reply, raw, serving
from tests.runner.test_http_node import TEXT, fail, perform

LINES = ("a line of text\n" * 500).encode()
HEAD = "HTTP/1.1 200 OK\nContent-Type: text/plain\n"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "FIRST_WAIT", 0.001)


def encoded(name: str, body: bytes, headers: Any = TEXT) -> Reply:
    return Reply(body=body, headers=(*headers, ("Content-Encoding", name)))


CUT = [
    pytest.param(encoded("gzip", gzip.compress(LINES)[:-30]), "gzip data has no end", id="gzip"),
    pytest.param(encoded("gzip", gzip.compress(LINES)[:-4]), "has no end", id="gzip-trailer"),
    pytest.param(encoded("gzip", gzip.compress(LINES)[:5]), "has no end", id="gzip-head"),
    pytest.param(encoded("gzip", gzip.compress(b"a") + gzip.compress(b"b")[:-9]), "has no end",
                 id="gzip-second-member"),
    pytest.param(encoded("deflate", zlib.compress(LINES)[:-10]), "has no end", id="deflate"),
    pytest.param(raw(f"{HEAD}Transfer-Encoding: chunked\n\n", b"5\r\nhello\r\n"),
                 "ended without a whole response", id="chunk"),
    pytest.param(raw(f"{HEAD}Content-Length: 99\n\n", b"hello"),
                 "ended without a whole response", id="length"),
    pytest.param(raw("HTTP/1.1 102 Processing\n\n"), "ended without a whole response", id="102"),
    pytest.param(raw("HTTP/1.1 abc Odd\nContent-Length: 1\n\n", b"x"),
                 "ended without a whole response: illegal status line", id="status"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "words"), CUT)
@pytest.mark.parametrize(("method", "tries"), [("GET", 4), ("POST", 1)], ids=["get", "once"])
def test_a_response_that_was_cut_is_no_output(
    reply: Reply, words: str, method: str, tries: int
) -> None:
    with serving(reply) as server:
        failed = fail(server.url, method=method)
    assert failed.reason is Reason.PROVIDER_ERROR
    assert words in failed.message
    assert "Error: " not in failed.message, "no class of a library"
    assert len(server.asked) == tries


WHOLE = [
    pytest.param(encoded("gzip", gzip.compress(LINES)), LINES, id="gzip"),
    pytest.param(encoded("x-gzip", gzip.compress(LINES)), LINES, id="x-gzip"),
    pytest.param(encoded("gzip", gzip.compress(b"a") + gzip.compress(b"b")), b"ab", id="members"),
    pytest.param(encoded("gzip", gzip.compress(b"a") + bytes(512)), b"a", id="padding"),
    pytest.param(encoded("deflate", zlib.compress(LINES)), LINES, id="deflate"),
    pytest.param(encoded("deflate", zlib.compress(LINES)[2:-4]), LINES, id="raw-deflate"),
    pytest.param(encoded("deflate, gzip", gzip.compress(zlib.compress(LINES))), LINES, id="both"),
    pytest.param(encoded("identity", LINES), LINES, id="identity"),
    pytest.param(encoded("aws-chunked", LINES), LINES, id="name-without-meaning"),
    pytest.param(raw(f"{HEAD}\n", b"hello"), b"hello", id="until-the-end"),
    pytest.param(raw(f"HTTP/1.1 103 Early\n\n{HEAD}Content-Length: 5\n\n", b"hello"), b"hello",
                 id="103"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "text"), WHOLE)
def test_a_response_that_is_whole_is_taken(reply: Reply, text: bytes) -> None:
    with serving(reply) as server:
        assert perform(server.url).output["body"] == text.decode()


ZIPPED = gzip.compress(b"a")
LONG = b"a" * (encodings._PIECE + 64)
RAW = zlib.compress(LONG)[2:-4]  # all of it is read when only a first piece is unpacked
PIECES = [
    pytest.param("gzip", [ZIPPED, bytes(512), bytes(9)], b"a", id="padding"),
    pytest.param("gzip", [ZIPPED, b"\n"], b"a", id="line-break"),
    pytest.param("gzip", [ZIPPED + b"\n", b"\x1f"], b"a", id="line-break-then-anything"),
    pytest.param("gzip", [ZIPPED, ZIPPED[:1], ZIPPED[1:]], b"aa", id="second-member"),
    pytest.param("gzip", [ZIPPED, bytes(9) + ZIPPED], b"aa", id="member-after-padding"),
    pytest.param("deflate", [zlib.compress(b"a"), b"\n", b"\0\0"], b"a", id="deflate"),
    pytest.param("deflate", [RAW], LONG, id="raw-rest"),
    pytest.param("deflate", [RAW, b"\n"], LONG, id="raw-rest-and-line-break"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "parts", "whole"), PIECES)
def test_data_after_the_end_is_ignored_however_it_arrives(
    name: str, parts: list[bytes], whole: bytes
) -> None:
    assert b"".join(encodings.decoded(iter(parts), name)) == whole


def test_a_second_member_that_was_cut_is_no_padding() -> None:
    parts = iter([ZIPPED, ZIPPED[:-3]])
    with pytest.raises(encodings.BadEncoding, match="has no end"):
        list(encodings.decoded(parts, "gzip"))


def test_no_encoding_is_asked_for_that_could_not_be_undone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So the library asks where packages for br and zstd are installed.
    monkeypatch.setattr("httpx2._client.ACCEPT_ENCODING", "gzip, deflate, br, zstd")
    with serving(Reply(body=b'"done"')) as server:
        perform(server.url)
    assert server.asked[0].headers["accept-encoding"] == "gzip, deflate"


REFUSED = [
    pytest.param(encoded("br", b"x"), "compressed with br; http nodes take gzip", id="brotli"),
    pytest.param(encoded("gzip", LINES), "the response is not valid gzip", id="no-gzip"),
    pytest.param(encoded("gzip", gzip.compress(LINES)[:-8] + bytes(8)), "not valid gzip", id="crc"),
]


@pytest.mark.parametrize(("reply", "words"), REFUSED)
def test_an_encoding_that_cannot_be_undone_is_named(reply: Reply, words: str) -> None:
    with serving(reply) as server:
        failed = fail(server.url)
    assert (failed.reason, len(server.asked)) == (Reason.PROVIDER_ERROR, 1)
    assert words in failed.message


def test_an_error_is_shown_though_its_encoding_is_wrong() -> None:
    with serving(Reply(404, b"gone", (*TEXT, ("Content-Encoding", "gzip")))) as server:
        assert "404 Not Found" in fail(server.url).message


def test_json_may_begin_with_a_byte_order_mark() -> None:
    with serving(Reply(body=b'\xef\xbb\xbf{"a": 1}')) as server:
        assert perform(server.url).output["body"] == {"a": 1}


SHOWN = [
    pytest.param(Reply(400, b"a\0b\x1b[31mred", TEXT), "400 Bad Request: a\ufffdb\ufffd[31mred",
                 id="control-characters"),
    pytest.param(raw("HTTP/1.1 404 \x1b[31m\nContent-Length: 0\n\n"), "404 \ufffd[31m",
                 id="phrase"),
    pytest.param(Reply(302, b"", (("Location", "http://u:p@other.test/x?t=1"),)),
                 "redirect to another host, http://other.test/,", id="user-in-a-redirect"),
    pytest.param(Reply(302, b"", (("Location", "javascript:alert(1)"),)),
                 "302 Found: javascript:alert(1)", id="no-address"),
    pytest.param(raw("HTTP/1.1 999 Odd\nContent-Length: 5\n\n", b"hello"), "999 Odd: hello",
                 id="999"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "words"), SHOWN)
def test_a_message_has_the_servers_words(reply: Reply, words: str) -> None:
    with serving(reply) as server:
        failed = fail(server.url)
    assert words in failed.message
    assert "u:p" not in failed.message


AS_SENT = [
    pytest.param(b'{"a": "${nodes.x} $(HOME) {{ y }}"}', {"a": "${nodes.x} $(HOME) {{ y }}"},
                 id="expressions"),
    pytest.param(b'{"a": [], "b": {}, "c": ""}', {"a": [], "b": {}, "c": ""}, id="empty-values"),
    pytest.param(b'{"a\\u0000": "\\u2028"}', {"a\0": "\u2028"}, id="controls"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "output"), AS_SENT)
def test_text_of_others_stays_as_it_is(body: bytes, output: Any) -> None:
    with serving(Reply(body=body)) as server:
        assert perform(server.url).output["body"] == output


WAITS = ["-5", "1e3", "NaN", "inf", "soon", "1.5", "Mon, 99 Foo 2020", "\u00b2", ",", "0 GMT 0",
         "Fri, 31 Dec 99999 23:59:59 GMT"]  # fmt: skip


@pytest.mark.parametrize("value", WAITS)
def test_a_retry_after_that_is_no_time_is_passed_over(value: str) -> None:
    busy = raw(f"HTTP/1.1 503 Busy\nRetry-After: {value}\nContent-Length: 0\n\n")
    with serving(busy, Reply(body=b'"done"')) as server:
        assert perform(server.url).output["body"] == "done"
