"""The messages, in each format.

A message has names, a reason, times, a link and a command; never a question, an output, an input or
the text of an error (S729). Names are texts of others. In Slack they stand in objects of type
`plain_text`, in Teams in a TextRun: neither has markup.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from urllib.parse import quote

from waypost.api.base import JsonObject
from waypost.kube.timestamps import timestamp
from waypost.notifier.core.occurrences import Occurrence, Type
from waypost.protocol.text import printable, shorten

Format = Literal["Json", "Slack", "Teams"]
_LONGEST: Final = 253  # characters of a name
_TITLES: Final[Mapping[Type, str]] = {
    "ApprovalOpened": "An approval waits for an answer",
    "ApprovalExpiring": "An approval will expire",
    "ApprovalExpired": "An approval has expired without an answer",
    "RunFailed": "A run has failed",
    "RunRejected": "A run was not accepted",
    "RunPaused": "A run is paused and needs a decision",
    "RunStalled": "A run cannot continue",
    "ScheduleBlocked": "A schedule is blocked",
}


def message(format_: Format, occurrence: Occurrence, *, ui_url: str) -> JsonObject:
    """The body of the request that reports an occurrence.

    Args:
        format_: Its format.
        occurrence: What has occurred.
        ui_url: Address of the web interface; "" if there is none.
    """
    return _FORMATS[format_](occurrence, _Shown.of(occurrence, ui_url))


@dataclass(frozen=True)
class _Shown:
    """What people read: each text is one line that a terminal can show."""

    title: str
    about: str
    facts: tuple[tuple[str, str], ...]
    command: str
    url: str

    @classmethod
    def of(cls, one: Occurrence, ui_url: str) -> "_Shown":
        schedule = one.name if one.type == "ScheduleBlocked" else ""
        facts = (
            ("Namespace", one.namespace),
            ("Schedule", schedule),
            ("Run", one.run),
            ("Node", one.path),
            ("Reason", one.reason),
            ("Round", str(one.round) if one.round > 1 else ""),
            ("Escalation level", str(one.level) if one.level else ""),
            ("Expires", one.expires),
        )
        return cls(
            title=_TITLES[one.type],
            about=_line(f"{one.namespace}/{schedule or one.run}"),
            facts=tuple((name, _line(value)) for name, value in facts if value),
            command=_command(one),
            url=_url(one, ui_url),
        )


def _line(value: str) -> str:
    return shorten(" ".join(printable(value).split()), _LONGEST)


def _command(one: Occurrence) -> str:
    command = "get"
    if one.type == "ScheduleBlocked":
        command = "schedules"
    elif one.type in ("ApprovalOpened", "ApprovalExpiring"):
        command = "approve"
    name = one.name if command != "get" else one.run
    return f"waypost {command} {shlex.quote(_line(name))} -n {shlex.quote(_line(one.namespace))}"


def _url(one: Occurrence, ui_url: str) -> str:
    """The page of the Approval or the run; "" without a web interface and where there is none."""
    asks = one.type in ("ApprovalOpened", "ApprovalExpiring")
    page, name = ("approvals", one.name) if asks else ("runs", one.run)
    if not ui_url or not name:
        return ""
    texts = (page, one.namespace[:_LONGEST], name[:_LONGEST])
    parts = "/".join(quote(part, safe="", errors="replace") for part in texts)
    return f"{ui_url.rstrip('/')}/#/{parts}"


def _json(one: Occurrence, shown: _Shown) -> JsonObject:
    fields = {
        "namespace": one.namespace,
        "name": one.name,
        "uid": one.uid,
        "run": one.run,
        "node": one.path,
        "round": one.round,
        "reason": one.reason,
        "level": one.level,
        "expiresAt": one.expires,
        "command": shown.command,
        "url": shown.url,
    }
    return {
        "id": one.id,
        "type": one.type,
        "timestamp": timestamp(datetime.fromtimestamp(one.at, UTC)),
        "data": {name: value for name, value in fields.items() if value},
    }


def _slack(_: Occurrence, shown: _Shown) -> JsonObject:
    blocks: list[JsonObject] = [
        {"type": "header", "text": _plain(shown.title)},
        {
            "type": "section",
            "fields": [_plain(f"{name}: {value}") for name, value in shown.facts],
        },
        {"type": "context", "elements": [_plain(shown.command)]},
    ]
    if shown.url:
        link = f"<{_entities(shown.url)}|Open in Waypost>"
        text = {"type": "mrkdwn", "text": link, "verbatim": True}
        blocks.append({"type": "section", "text": text})
    # The text of the notification on a phone.
    return {"text": _entities(f"{shown.title}: {shown.about}"), "mrkdwn": False, "blocks": blocks}


def _plain(text: str) -> JsonObject:
    return {"type": "plain_text", "text": _entities(text), "emoji": False}


def _entities(text: str) -> str:
    """Without what Slack takes for a link, a mention or a command: it reads these three first, in
    all texts."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(_: Occurrence, shown: _Shown) -> JsonObject:
    body: list[JsonObject] = [
        {
            "type": "TextBlock",
            "text": shown.title,
            "size": "Medium",
            "weight": "Bolder",
            "wrap": True,
        }
    ]
    for name, value in shown.facts:
        body.append(_runs(_run(f"{name}: ", weight="Bolder"), _run(value)))
    body.append(_runs(_run(shown.command, fontType="Monospace")))
    card: JsonObject = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if shown.url:
        link = {"type": "Action.OpenUrl", "title": "Open in Waypost", "url": shown.url}
        card["actions"] = [link]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def _runs(*runs: JsonObject) -> JsonObject:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: str) -> JsonObject:
    return {"type": "TextRun", "text": text, **style}


_FORMATS: Final[Mapping[Format, Callable[[Occurrence, _Shown], JsonObject]]] = {
    "Json": _json,
    "Slack": _slack,
    "Teams": _teams,
}
