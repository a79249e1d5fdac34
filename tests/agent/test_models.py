"""What is sent to a provider besides the conversation: headers and settings."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.agent.pods import Pod
from tests.agent.replies import answer
from tests.runner.servers import serving

CANARY = "team-canary-88e1f0"


@pytest.mark.parametrize("type_", ["OpenAI", "Anthropic", "Google"])
def test_headers_are_sent_and_their_secrets_struck_out(type_: str, tmp_path: Path) -> None:
    (tmp_path / "team").write_text(CANARY)
    headers = [
        {"name": "X-Plain", "value": "1"},
        {"name": "X-Team", "file": str(tmp_path / "team")},
    ]
    with serving(answer(type_, f"my team is {CANARY}")) as server:
        failed = Pod(tmp_path, server.url, type_).fail("any", model={"headers": headers})
    sent = server.asked[0].headers
    assert (sent["x-plain"], sent["x-team"]) == ("1", CANARY)
    assert "repeats a secret" in failed.message


@pytest.mark.parametrize("type_", ["OpenAI", "Anthropic", "Google"])
def test_a_header_may_stand_for_the_key(type_: str, tmp_path: Path) -> None:
    headers = [{"name": "Authorization", "value": "Basic abc"}]
    model = {"headers": headers, "keyFile": None}
    with serving(answer(type_, "done")) as server:
        Pod(tmp_path, server.url, type_).perform("any", model=model)
    sent = server.asked[0].headers
    assert sent["authorization"] == "Basic abc"
    assert not {"x-api-key", "x-goog-api-key"} & set(sent)


@pytest.mark.parametrize("type_", ["OpenAI", "Anthropic", "Google"])
def test_query_parameters_are_sent_and_their_secrets_struck_out(type_: str, tmp_path: Path) -> None:
    (tmp_path / "team").write_text(CANARY)
    query = [
        {"name": "api-version", "value": "a b&c"},
        {"name": "team", "file": str(tmp_path / "team")},
    ]
    with serving(answer(type_, f"my team is {CANARY}")) as server:
        failed = Pod(tmp_path, server.url, type_).fail("any", model={"query": query})
    sent = parse_qs(urlsplit(server.asked[0].target).query)
    assert (sent["api-version"], sent["team"]) == (["a b&c"], [CANARY])
    assert "repeats a secret" in failed.message


@pytest.mark.parametrize(
    ("effort", "sent"), [("Minimal", "minimal"), ("High", "high"), (None, None)], ids=str
)
def test_reasoning_effort_is_sent_as_the_provider_spells_it(
    effort: str | None, sent: str | None, tmp_path: Path
) -> None:
    settings = {"reasoningEffort": effort} if effort else {}
    with serving(answer("OpenAI", "done")) as server:
        Pod(tmp_path, server.url).perform("any", model={"settings": settings})
    assert json.loads(server.asked[0].body).get("reasoning_effort") == sent
