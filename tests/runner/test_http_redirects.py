"""Redirects that would send another request, and limits that services say in other ways than 429
with Retry-After."""

import time
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost_node.http import node

from tests.runner.servers import Reply, serving
from tests.runner.test_http_node import TEXT, fail, perform

OK = Reply(body=b'"done"')


def moved(status: int) -> Reply:
    return Reply(status, b"", (("Location", "/there?token=t"),))


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "FIRST_WAIT", 0.001)


@pytest.mark.parametrize(
    ("method", "status"),
    [("POST", 301), ("POST", 302), ("PUT", 302), ("PATCH", 302), ("DELETE", 302)],
)
def test_no_request_is_made_in_place_of_the_one_that_was_asked_for(
    method: str, status: int
) -> None:
    """A library asks for the new address with GET: nothing would be posted, and it answers 200."""
    with serving(moved(status), OK) as server:
        failed = fail(server.url, method=method, body={"a": 1})
    assert len(server.asked) == 1
    assert failed.reason is Reason.NODE_ERROR
    words = f"/there, not followed, because it would be a GET without the body of the {method}"
    assert words in failed.message
    assert "token=t" not in failed.message


@pytest.mark.parametrize(
    ("method", "status", "second"),
    [
        pytest.param("GET", 301, "GET", id="get"),
        pytest.param("HEAD", 302, "HEAD", id="head"),
        pytest.param("POST", 303, "GET", id="see-other"),
        pytest.param("POST", 307, "POST", id="temporary"),
        pytest.param("PATCH", 308, "PATCH", id="permanent"),
        pytest.param("PUT", 301, "PUT", id="put"),
    ],
)
def test_a_redirect_that_keeps_the_request_is_followed(
    method: str, status: int, second: str
) -> None:
    body: dict[str, Any] = {} if method in ("GET", "HEAD") else {"body": {"a": 1}}
    with serving(moved(status), OK) as server:
        perform(server.url, method=method, **body)
    assert [asked.method for asked in server.asked] == [method, second]


def limited(status: int, **headers: str) -> Reply:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, b"slow down", (*TEXT, *named))


SOON = [
    pytest.param(limited(403, Retry_After="0"), id="403-with-a-time"),
    pytest.param(limited(409, Retry_After="0"), id="409-with-a-time"),
    pytest.param(limited(423, Retry_After="0"), id="locked"),
    pytest.param(limited(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="0"), id="seconds"),
    pytest.param(limited(429, RateLimit_Remaining="0", RateLimit_Reset="0"), id="standard"),
    pytest.param(limited(425), id="too-early"),
]


@pytest.mark.parametrize("first", SOON)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_limit_is_waited_for_in_whatever_words(first: Reply, method: str) -> None:
    with serving(first, OK) as server:
        assert perform(server.url, method=method).output["body"] == "done"


def test_a_limit_that_ends_at_a_time_is_left_to_the_operator() -> None:
    at = str(int(time.time()) + 3000)
    with serving(limited(403, X_RateLimit_Remaining="0", X_RateLimit_Reset=at)) as server:
        failed = fail(server.url)
    assert failed.reason is Reason.RATE_LIMITED
    assert failed.retry_after is not None
    assert 2900 < failed.retry_after < 3001


NOT = [
    pytest.param(limited(403), id="403"),
    pytest.param(limited(409), id="409"),
    pytest.param(limited(400, Retry_After="0"), id="400-with-a-time"),
    pytest.param(limited(403, X_RateLimit_Remaining="7", X_RateLimit_Reset="0"), id="some-left"),
    pytest.param(limited(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="soon"), id="no-time"),
    pytest.param(limited(403, X_RateLimit_Remaining="0", X_RateLimit_Reset="-1"), id="negative"),
]


@pytest.mark.parametrize(("method", "asked"), [("GET", 2), ("PUT", 2), ("POST", 1)])
def test_a_request_that_came_too_slowly_is_sent_again_unless_once(method: str, asked: int) -> None:
    with serving(limited(408), OK) as server:
        ended = perform if asked == 2 else fail
        ended(server.url, method=method)
    assert len(server.asked) == asked


@pytest.mark.parametrize("first", NOT)
def test_a_refusal_is_no_limit(first: Reply) -> None:
    with serving(first, OK) as server:
        assert fail(server.url).reason is Reason.NODE_ERROR
