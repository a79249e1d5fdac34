"""The query of a list of archived runs, from the options of a command, and its rows."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from waypost.api.base import parse_duration
from waypost.cli.archive.client import Where, opened
from waypost.cli.connection.cluster import Target
from waypost.cli.errors import CommandError, Exit
from waypost.kube.objects import text
from waypost.kube.timestamps import parse_timestamp, timestamp
from waypost.views.models import RunRow

PAGE: Final = 500


@dataclass(frozen=True)
class Filters:
    """Options that only a list of the archive has. Times as RFC 3339, as dates, or as durations
    before now."""

    template: str = ""
    text: str = ""
    since: str = ""
    until: str = ""
    min_cost: str = ""

    def given(self) -> list[str]:
        """The options that were given, as on the command line."""
        names = ("template", "text", "since", "until", "min_cost")
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name)]


def parameters(
    filters: Filters, *, namespace: str, labels: str, phases: list[str], now: datetime
) -> list[tuple[str, str]]:
    """The parameters of the request.

    Args:
        filters: What was asked for.
        namespace: "" for all.
        labels: A selector of equal labels, as NAME=VALUE,...
        phases: Empty for all.
        now: The time.

    Raises:
        CommandError: An option has no valid value.
    """
    single = {
        "namespace": namespace,
        "template": filters.template,
        "text": filters.text,
        "since": _time("--since", filters.since, now),
        "until": _time("--until", filters.until, now),
        "minCost": filters.min_cost,
    }
    found = [(name, value) for name, value in single.items() if value]
    found += [("phase", phase) for phase in phases]
    return found + [("label", label) for label in _labels(labels)]


async def rows(
    target: Target, where: Where, query: list[tuple[str, str]], *, limit: int
) -> tuple[list[RunRow], str]:
    """Rows of archived runs, newest end first, and where the list continues.

    Args:
        target: The context whose token is sent.
        where: The archive.
        query: Parameters, among them `continue`.
        limit: At most so many rows.

    Raises:
        CommandError: The archive cannot be read.
    """
    found: list[RunRow] = []
    async with opened(target, where.url) as archive:
        asked = query
        while True:
            size = min(limit - len(found), PAGE)
            page, rest = await archive.page([*asked, ("limit", str(size))])
            found += [RunRow.model_validate(one) for one in page]
            if not rest or len(found) >= limit:
                return found, rest
            asked = [(name, value) for name, value in query if name != "continue"]
            asked.append(("continue", rest))


async def exported(
    target: Target,
    where: Where,
    filters: Filters,
    *,
    namespace: str,
    labels: str,
    phases: list[str],
) -> AsyncIterator[str]:
    """The documents of archived runs as lines of JSON. A run that leaves the archive meanwhile is
    left out.

    Raises:
        CommandError: The archive cannot be read.
    """
    now = datetime.now(UTC)
    query = parameters(filters, namespace=namespace, labels=labels, phases=phases, now=now)
    async with opened(target, where.url) as archive:
        rest = ""
        while True:
            asked = [*query, *([("continue", rest)] if rest else [])]
            page, rest = await archive.page([*asked, ("limit", str(PAGE))])
            for one in page:
                try:
                    document = await archive.document(text(one, "namespace"), text(one, "uid"))
                except CommandError as error:
                    if error.code == Exit.NOT_FOUND:
                        continue
                    raise
                yield json.dumps(document, ensure_ascii=False, separators=(",", ":"))
            if not rest:
                return


def _labels(selector: str) -> list[str]:
    found = []
    for part in filter(None, (part.strip() for part in selector.split(","))):
        name, separator, value = part.replace("==", "=").partition("=")
        if not separator or name.endswith("!") or not name:
            said = f"--selector {part!r}: a list of the archive takes NAME=VALUE only"
            raise CommandError(said, code=Exit.USAGE)
        found.append(f"{name}={value}")
    return found


def _time(option: str, value: str, now: datetime) -> str:
    if not value:
        return ""
    try:
        moment = parse_timestamp(value) or datetime.fromisoformat(value)
    except ValueError:
        try:
            moment = now - timedelta(seconds=parse_duration(value))
        except (ValueError, OverflowError):
            said = f"{option} {value!r}: expected 2026-11-30, 2026-11-30T08:00:00Z or 24h"
            raise CommandError(said, code=Exit.USAGE) from None
    return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
