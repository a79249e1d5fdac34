"""What messages say, and that no name is more than a text in them."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest
from waypost.notifier.core.messages import Format, message
from waypost.notifier.core.occurrences import TYPES

from tests.notifier.golden import FILE, bodies
from tests.notifier.place import occurrence

UI = "https://waypost.example"
HOSTILE = [
    pytest.param("<!channel>", id="mention"),
    pytest.param("<https://evil.example|Approve>", id="link-of-slack"),
    pytest.param("[Approve](https://evil.example)", id="link-of-markdown"),
    pytest.param("*bold* _it_ ~no~ `code` # > - 1.", id="markup"),
    pytest.param("&lt;!here&gt;", id="entities"),
    pytest.param("a\r\nb\tc", id="lines"),
    pytest.param("\x1b[31mred\u202egnp.exe\u2066", id="terminal"),
    pytest.param("'; rm -rf / #", id="shell"),
    pytest.param("../../approvals?x=1#y", id="path"),
    pytest.param("x" * 5000, id="long"),
    pytest.param("\ud800", id="surrogate"),
]


def strings(body: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Each text of a body, with its place."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from strings(value, f"{at}.{name}")
    elif isinstance(body, list):
        for value in body:
            yield from strings(value, f"{at}[]")
    elif isinstance(body, str):
        yield at, body


def test_the_bodies_are_the_golden_ones() -> None:
    """S729: `python -m tests.notifier.golden` writes them; read what has changed."""
    assert bodies() == json.loads(FILE.read_text(encoding="utf-8"))


def hostile(text: str, type_: Any) -> Any:
    one = occurrence(type_)
    return replace(one, namespace=text, name=text, run=text, path=text, reason=text, expires=text)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("type_", TYPES)
def test_slack_gets_no_markup_of_others(text: str, type_: Any) -> None:
    """S729: in mrkdwn there is nothing but one link to the web interface."""
    body = message("Slack", hostile(text, type_), ui_url=UI)
    assert body["mrkdwn"] is False
    assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", body["text"])
    for block in body["blocks"]:
        texts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        for one in filter(None, texts):
            if one["type"] == "mrkdwn":
                assert re.fullmatch(
                    r"<https://waypost\.example/#/[\w/.%~-]*\|Open in Waypost>", one["text"]
                )
            else:
                assert one["type"] == "plain_text"
                assert one["emoji"] is False
                assert not re.search(r"[<>]|&(?!(amp|lt|gt);)", one["text"])
                assert len(one["text"]) <= 2000


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("type_", TYPES)
def test_teams_gets_texts_of_others_in_text_runs_alone(text: str, type_: Any) -> None:
    """S729: a TextBlock and a FactSet have Markdown, a TextRun has none."""
    mark = f"mark{text}"
    body = message("Teams", hostile(mark, type_), ui_url=UI)
    [attached] = body["attachments"]
    for block in attached["content"]["body"]:
        assert block["type"] in ("TextBlock", "RichTextBlock")
        if block["type"] == "TextBlock":
            assert "mark" not in block["text"]
        else:
            assert {one["type"] for one in block["inlines"]} == {"TextRun"}
    actions = attached["content"].get("actions", [])
    assert [one["type"] for one in actions] == ["Action.OpenUrl"]
    assert re.fullmatch(r"https://waypost\.example/#/[\w/.%~-]*", actions[0]["url"])


@pytest.mark.parametrize("format_", get_args(Format))
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_has_control_characters_and_all_can_be_sent(format_: Format, text: str) -> None:
    """S729"""
    body = message(format_, hostile(text, "RunFailed"), ui_url=UI)
    json.dumps(body).encode()
    for at, found in strings(body):
        if format_ == "Json" and at in (".data.namespace", ".data.name", ".data.run"):
            continue  # programs get the names as they are
        if format_ == "Json" and at in (".data.node", ".data.reason", ".data.expiresAt"):
            continue
        assert not re.search("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", found), at
        assert len(found) <= 2000


def test_a_command_is_one_command() -> None:
    """S729: a name with a quote or a semicolon stays one argument."""
    body = message("Json", hostile("'; rm -rf / #", "RunFailed"), ui_url="")
    assert body["data"]["command"] == ("""waypost get ''"'"'; rm -rf / #' -n ''"'"'; rm -rf / #'""")


def test_without_a_web_interface_there_is_no_link() -> None:
    """S729"""
    for format_ in get_args(Format):
        body = message(format_, occurrence("ApprovalOpened"), ui_url="")
        assert "http" not in json.dumps(body).replace("http://adaptivecards.io", "")
        assert "waypost approve triage-approve-x7 -n team-a" in json.dumps(body)


def test_a_blocked_schedule_without_a_run_has_no_link() -> None:
    one = replace(occurrence("ScheduleBlocked"), run="", name="hourly")
    assert "url" not in message("Json", one, ui_url=UI)["data"]
