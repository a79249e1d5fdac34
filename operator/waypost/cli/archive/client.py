"""Reads archived runs: lists, and the document of one as a cluster that has only this run."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from waypost.cli.archive.source import Source
from waypost.cli.connection.cluster import Session, Target, bearer, find_run
from waypost.cli.errors import AccessDenied, CommandError, Exit, NotAuthenticated
from waypost.kube.objects import items, lists, section, text
from waypost.ports.cluster import Kind, Listing, NotFound, Obj, Rejected

TOKEN: Final = "WAYPOST_ARCHIVE_TOKEN"
_SECONDS: Final = 30.0
_PARTS: Final = {Kind.APPROVAL: "approvals", Kind.NODE_RECORD: "records"}


@dataclass(frozen=True)
class Where:
    """Where a command reads runs.

    Attributes:
        url: Base URL of the archive; "" for none.
        only: Only from the archive.
    """

    url: str
    only: bool

    def __post_init__(self) -> None:
        if self.only and not self.url:
            text_ = "--archived needs --archive URL (or WAYPOST_ARCHIVE_URL); docs/history.md"
            raise CommandError(text_, code=Exit.USAGE)


CLUSTER: Final = Where("", only=False)


class Archive:
    """The archive, in the name of a person."""

    def __init__(self, client: Any, headers: Mapping[str, str]) -> None:
        self._client = client
        self._headers = headers

    async def page(self, query: list[tuple[str, str]]) -> tuple[list[Obj], str]:
        """Rows of runs, and the token of the next page or "". Raises CommandError."""
        found = await self._get("/v1/runs", query)
        return items(found, "items"), text(found, "continue")

    async def document(self, namespace: str, run: str) -> Obj:
        """The document of a run by name or uid. Raises CommandError."""
        from urllib.parse import quote

        place = f"/v1/namespaces/{quote(namespace, safe='')}/runs/{quote(run, safe='')}"
        return await self._get(place, [])

    async def _get(self, path: str, query: list[tuple[str, str]]) -> Obj:
        import httpx2

        try:
            answer = await self._client.get(path, params=query, headers=self._headers)
            body = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            why = str(error) or type(error).__name__
            text_ = f"cannot reach the archive at {self._client.base_url}: {why}"
            raise CommandError(text_, code=Exit.CLUSTER) from error
        if answer.status_code == 200 and isinstance(body, dict):
            return body
        raise _refused(answer.status_code, text(section(body), "detail"))


def _refused(status: int, said: str) -> CommandError:
    message = f"the archive: {said or f'status {status}'}"
    if status == 401:
        return NotAuthenticated(message)
    if status == 403:
        return AccessDenied(f"{message}; the chart's role waypost-view grants it")
    codes = {404: Exit.NOT_FOUND, 400: Exit.USAGE}
    return CommandError(message, code=codes.get(status, Exit.CLUSTER))


@asynccontextmanager
async def opened(target: Target, url: str) -> AsyncIterator[Archive]:
    """The archive at a URL, with the token of the context. Raises CommandError."""
    import httpx2

    token = os.environ.get(TOKEN, "")
    authorization = f"Bearer {token}" if token else await bearer(target)
    if not authorization:
        text_ = (
            "the archive needs a token, and the context has none: set "
            f"{TOKEN}, for example with `kubectl create token ACCOUNT`"
        )
        raise NotAuthenticated(text_)
    try:
        client = httpx2.AsyncClient(base_url=url, timeout=_SECONDS)
    except (httpx2.InvalidURL, ValueError) as error:
        raise CommandError(f"--archive {url}: {error}", code=Exit.USAGE) from error
    async with client:
        yield Archive(client, {"authorization": authorization})


@dataclass(frozen=True)
class ArchivedRun:
    """The document of a run as a `Reader`. All that it has of a kind belongs to the run.

    Attributes:
        document: The document.
        hidden: Its parts that the person has no right to read.
    """

    document: Obj
    hidden: frozenset[str] = frozenset()

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:  # noqa: ARG002
        """One object of the document."""
        part = _PARTS.get(kind, "")
        if part in self.hidden:
            raise Rejected(f"{kind.plural} is forbidden in the archive", code=403)
        for one in items(self.document, part) if part else ():
            if text(section(one, "metadata"), "name") == name:
                return one
        raise NotFound(f'{kind.plural} "{name}" is not in the archive', code=404)

    async def list(self, kind: Kind, **_: str | None) -> Listing:
        """All objects of the kind in the document."""
        part = _PARTS.get(kind, "")
        return Listing(items=tuple(items(self.document, part)) if part else (), resource_version="")


@dataclass(frozen=True)
class ArchivedSource:
    """An archived run as a `Source`."""

    cluster: ArchivedRun
    namespace: str


async def locate(session: Session, target: Target, name: str, where: Where) -> tuple[Source, Obj]:
    """Read a run from the cluster or, if it is not there, from the archive.

    Args:
        session: The cluster.
        target: How it was chosen.
        name: The run.
        where: Which of the two.

    Returns:
        Where the objects that belong to the run are read, and the run.

    Raises:
        CommandError: Neither has it.
    """
    if not where.only:
        try:
            return session, await find_run(session, name)
        except CommandError as error:
            if error.code != Exit.NOT_FOUND or not where.url:
                raise
    async with opened(target, where.url) as archive:
        document = await archive.document(session.namespace, name)
    hidden = frozenset(part for part in _PARTS.values() if lists(document.get("hidden"), part))
    run = section(document, "run")
    return ArchivedSource(ArchivedRun(document, hidden), session.namespace), run
