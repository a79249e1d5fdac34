"""Bodies of errors, as gateways and providers send them (K6, K12): the sentence that people read,
and the status that decides whether waiting helps."""

from typing import Any

import pytest
from waypost_node.http.error_bodies import sentence_of, status_of

BODIES = [
    pytest.param({"error_code": 110, "error_msg": "Access token invalid"},
                 "Access token invalid", 401, id="error-msg"),
    pytest.param({"code": 1113, "msg": "account in arrears"}, "account in arrears", 402, id="msg"),
    pytest.param({"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"},
                  "choices": None}, "insufficient balance", 402, id="below-a-wrapper"),
    pytest.param({"Response": {"Error": {"Code": "LimitExceeded", "Message": "too many"}}},
                 "too many", 429, id="capital-names"),
    pytest.param({"success": False, "errors": [{"code": 5007, "message": "No such model"}]},
                 "No such model", None, id="list-of-errors"),
    pytest.param({"errors": ["model not loaded"]}, "model not loaded", None, id="list-of-texts"),
    pytest.param({"title": "Too Many Requests", "status": 429, "detail": "slow down"},
                 "slow down", 429, id="problem-json"),
    pytest.param({"title": "Unauthorized", "status": 401}, "Unauthorized", 401, id="only-a-title"),
    pytest.param({"fault": {"faultstring": "Rate limit quota violation",
                            "detail": {"errorcode": "policies.ratelimit.QuotaViolation"}}},
                 "Rate limit quota violation", 429, id="fault"),
    pytest.param({"__type": "ThrottlingException", "message": "Rate exceeded"}, "Rate exceeded",
                 429, id="type-with-underscores"),
    pytest.param({"Message": "User is not authorized"}, "User is not authorized", 403, id="rights"),
    pytest.param({"statusCode": 429, "message": "Try again in 5 seconds."},
                 "Try again in 5 seconds.", 429, id="status-code"),
    pytest.param({"error": "invalid_token", "error_description": "token expired"},
                 "token expired", 401, id="description"),
    pytest.param({"code": "BadRequest", "innererror": {"message": "inner words"}}, "inner words",
                 None, id="inner-error"),
    pytest.param({"message": {"text": "deep words"}}, "deep words", None, id="message-object"),
    pytest.param({"errmsg": "busy", "errcode": "503"}, "busy", 503, id="digits"),
    pytest.param({"status": "error", "reason": "busy now"}, "busy now", None, id="reason"),
    pytest.param({"success": False, "info": "model is down"}, "model is down", None, id="info"),
    pytest.param("quota gone", "quota gone", None, id="text"),
    pytest.param([{"error": {"code": 429, "message": "no"}}], "no", 429, id="list"),
    # No error: a page about an API, or another interface.
    pytest.param({"title": "My API", "description": "Welcome"}, "", None, id="about-an-api"),
    pytest.param({"response": "hello", "done": True}, "", None, id="another-interface"),
    pytest.param({}, "", None, id="empty"),
    pytest.param(None, "", None, id="null"),
    pytest.param({"message": "", "detail": None}, "", None, id="blank"),
    pytest.param({"code": 99999999999999999999, "message": "x"}, "x", None, id="large-code"),
    pytest.param({"code": True, "status": 200.0, "message": "x"}, "x", None, id="no-codes"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "sentence", "status"), BODIES)
def test_what_the_body_of_an_error_says(document: Any, sentence: str, status: int | None) -> None:
    assert (sentence_of(document), status_of(document)) == (sentence, status)


def test_a_deep_body_comes_to_an_end() -> None:
    deep: Any = "end"
    for _ in range(500):
        deep = {"error": deep, "detail": deep}
    assert sentence_of(deep) == ""
    assert status_of(deep) is None
