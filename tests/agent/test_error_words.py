"""Errors whose words say something else than their status: a filter, an account without credit, a
key, a provider with too much to do."""

from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason

from tests.agent.malformed import DONE, play
from tests.agent.replies import reply

AZURE = {
    "error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content "
        "management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "innererror": {"code": "ResponsibleAIPolicyViolation"},
    }
}


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


FILTERED = [
    pytest.param("OpenAI", 400, AZURE, id="azure"),
    pytest.param("OpenAI", 400, error("Your request was rejected", code="content_policy_violation"),
                 id="openai"),
    pytest.param("OpenAI", 400, error("Content Exists Risk"), id="deepseek"),
    pytest.param("OpenAI", 400, {"code": "data_inspection_failed", "message": "Input data may "
                                 "contain inappropriate content."}, id="dashscope"),
    pytest.param("OpenAI", 403, error("Your chosen model requires moderation and your input was "
                                      "flagged"), id="openrouter"),
    pytest.param("OpenAI", 200, error("filtered", code="content_filter"), id="in-a-200"),
    pytest.param("Anthropic", 400, error("Output blocked by content filtering policy"),
                 id="claude"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "status", "body"), FILTERED)
def test_a_filter_is_a_refusal_whatever_its_status(
    type_: str, status: int, body: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [reply(body, status=status), DONE[type_]]
    outcome = play(type_, replies, tmp_path, monkeypatch)
    assert outcome.failure[0] is Reason.REFUSED
    assert len(outcome.asked) == 1, "it would be filtered again"


BUSY = [
    pytest.param("OpenAI", 498, error("Flex tier capacity exceeded"), id="498"),
    pytest.param("OpenAI", 424, error("Request failed during generation"), id="424"),
    pytest.param("OpenAI", 499, error("client closed request"), id="499"),
    pytest.param("OpenAI", 400, error("Model is currently loading"), id="loading"),
    pytest.param("OpenAI", 422, error("ThrottlingException: too many tokens per minute"),
                 id="throttled"),
    pytest.param("Anthropic", 400, {"type": "error", "error": {
        "type": "overloaded_error", "message": "Overloaded"}}, id="overloaded"),
    pytest.param("OpenAI", 403, error("the deployment is over capacity"), id="capacity"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "status", "body"), BUSY)
def test_a_provider_that_is_busy_is_waited_for_whatever_its_status(
    type_: str, status: int, body: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [*[reply(body, status=status)] * 5, DONE[type_]]
    outcome = play(type_, replies, tmp_path, monkeypatch)
    assert (outcome.output, outcome.usage.provider_waits) == ("done", 5)


CREDIT, KEY = "the account's quota or credit is used up", "put a valid key into the Secret"
LASTING = [
    pytest.param("OpenAI", 200, error("no quota", code="insufficient_quota"), CREDIT, id="quota"),
    pytest.param("OpenAI", 200, error("it needs credits", code=402), CREDIT, id="402-in-a-200"),
    pytest.param("OpenAI", 402, error("Insufficient Balance"), CREDIT, id="402"),
    pytest.param("Anthropic", 400, error("Your credit balance is too low to access the API."),
                 CREDIT, id="credit-as-400"),
    pytest.param("OpenAI", 429, error("no", type="insufficient_quota", code="insufficient_quota"),
                 CREDIT, id="quota-as-429"),
    pytest.param("Google", 400, error("API key not valid. Please pass a valid API key.",
                                      status="INVALID_ARGUMENT"), KEY, id="key-as-400"),
    pytest.param("OpenAI", 403, error("Incorrect API key provided"), KEY, id="key-as-403"),
    pytest.param("OpenAI", 400, error("unknown field capacity"), "check settings", id="a-word"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "status", "body", "hint"), LASTING)
def test_an_error_that_does_not_pass_says_what_to_do(
    type_: str,
    status: int,
    body: Any,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replies = [reply(body, status=status), DONE[type_]]
    outcome = play(type_, replies, tmp_path, monkeypatch)
    assert outcome.failure[0] is Reason.PROVIDER_ERROR
    assert hint in outcome.failure[1]
    assert len(outcome.asked) == 1
