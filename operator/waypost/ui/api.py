"""The JSON API. Reading answers with the documents of `views`; an error is {message}.

GET  /api/me                                who I am, what is shown, what I may do
GET  /api/checks                            what I may do, and whether the installation works
GET  /api/runs?namespace&phase&template&label&since&q&offset&limit
GET  /api/runs/NAMESPACE/NAME               the run and its graph
GET  /api/runs/NAMESPACE/NAME/trace         with calls and the parts of attempts
GET  /api/runs/NAMESPACE/NAME/manifest      as YAML
GET  /api/runs/NAMESPACE/NAME/io?node=PATH  inputs and output of a node
GET  /api/runs/NAMESPACE/NAME/attempts?node=PATH&attempt=1&attempt=3  how they differ
GET  /api/runs/NAMESPACE/NAME/logs?node=PATH&attempt
GET  /api/runs/NAMESPACE/NAME/diff?other=NAME
GET  /api/runs/NAMESPACE/NAME/rerun?from&skip&latest&refreshMemory  what the next round would do
POST /api/runs/NAMESPACE/NAME/rerun         {round, from, skip, latest, refreshMemory}
POST /api/runs/NAMESPACE/NAME/{suspend,resume,cancel}  {uid}
GET  /api/approvals?namespace&all&asked&offset&limit
GET  /api/approvals/NAMESPACE/NAME          the question, and what follows a yes
POST /api/approvals/NAMESPACE/NAME/answer   {decision, digest, reason, answer}
GET  /api/changes                           the stream of changes
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from waypost import __version__
from waypost.cli.connection.answers import read_question
from waypost.cli.connection.changes import set_fields
from waypost.cli.connection.cluster import Session, explained
from waypost.cli.connection.findings import examine
from waypost.cli.connection.people import may, user_name
from waypost.cli.errors import AccessDenied, CommandError, Exit, NotNow
from waypost.ports.cluster import ClusterError, Kind
from waypost.ui import lists
from waypost.ui.answering import give
from waypost.ui.feed import Feed
from waypost.ui.guard import LARGEST_BODY
from waypost.ui.lists import Query
from waypost.ui.rounds import asked, begin
from waypost.ui.runs import Runs
from waypost.ui.stream import changes
from waypost.views.errors import CannotShow

_LARGEST_PAGE: Final = 500
_PATIENCE: Final = 20.0  # seconds for the first list
_STATUS: Final = {Exit.USAGE: 400, Exit.NOT_FOUND: 404, Exit.CLUSTER: 502, Exit.FAILED: 409}
_SWITCHES: Final[dict[str, dict[str, bool]]] = {
    "suspend": {"suspend": True},
    "resume": {"suspend": False},
    "cancel": {"cancel": True},
}
_SINCE: Final = re.compile(r"([1-9][0-9]{0,4})([mhd])", re.ASCII)
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86400}
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Api:
    """The handlers, and what they read from.

    Attributes:
        session: The connection of the user.
        feed: The lists of the user.
        runs: Documents of runs.
        read_only: Whether the server refuses writes.
        ended: Whether the server stops.
        about: What `me` says beside that.
    """

    session: Session
    feed: Feed
    runs: Runs
    read_only: bool
    ended: Callable[[], bool]
    about: Mapping[str, Any] = field(default_factory=dict)

    def routes(self) -> list[BaseRoute]:
        """The routes below /api."""
        run, approval = "/runs/{namespace}/{name}", "/approvals/{namespace}/{name}"
        reading: dict[str, Handler] = {
            "/me": self.me,
            "/checks": self.checks,
            "/runs": self.list_runs,
            run: self.run,
            f"{run}/trace": self.trace,
            f"{run}/manifest": self.manifest,
            f"{run}/io": self.io,
            f"{run}/attempts": self.attempts,
            f"{run}/logs": self.log,
            f"{run}/diff": self.difference,
            f"{run}/rerun": self.preview,
            "/approvals": self.list_approvals,
            approval: self.question,
            "/changes": self.changes,
        }
        writing = {
            f"{run}/rerun": self.rerun,
            f"{run}/{{switch}}": self.switch,
            f"{approval}/answer": self.answer,
        }
        return [
            *(Route(path, _answered(handler)) for path, handler in reading.items()),
            *(Route(p, _answered(h), methods=["POST"]) for p, h in writing.items()),
        ]

    async def me(self, request: Request) -> Response:
        """Who the user is, and what this server shows."""
        session = self.runs.in_namespace(
            request.query_params.get("namespace") or self.feed.namespace
        )
        allowed = {
            "change": await may(session, "patch", "agentworkflows"),
            "answer": await may(session, "approve", "approvals"),
            "list": await may(session, "list", "agentworkflows"),
        }
        return JSONResponse(
            {
                "user": await user_name(session),
                "namespace": self.feed.namespace,
                "everywhere": self.feed.everywhere,
                "readOnly": self.read_only,
                "version": __version__,
                "may": allowed,
                **self.about,
            }
        )

    async def checks(self, _: Request) -> Response:
        """The checks of `waypost doctor`, in what this server shows."""
        where = "" if self.feed.everywhere else self.feed.namespace
        found = await examine(Session(cluster=self.session.cluster, namespace=where))
        checks = [{"check": one.check, "result": one.result, "text": one.text} for one in found]
        return JSONResponse({"version": __version__, "checks": checks})

    async def list_runs(self, request: Request) -> Response:
        """A page of the list of runs."""
        table = self.feed.tables[Kind.AGENT_WORKFLOW]
        await table.ready(seconds=_PATIENCE)
        return JSONResponse(lists.runs(table.rows.values(), _query(request)))

    async def list_approvals(self, request: Request) -> Response:
        """A page of the list of Approvals; with asked=1 an empty one if no run waits for one."""
        table = self.feed.tables[Kind.APPROVAL]
        if request.query_params.get("asked") == "1" and not await self._asks():
            return JSONResponse(lists.approvals((), _query(request), open_only=True))
        self.feed.need()
        await table.ready(seconds=_PATIENCE)
        open_only = request.query_params.get("all") != "1"
        query = _query(request)
        return JSONResponse(lists.approvals(table.rows.values(), query, open_only=open_only))

    async def _asks(self) -> bool:
        with suppress(AccessDenied):  # a person who may not list runs may have to answer
            await self.feed.tables[Kind.AGENT_WORKFLOW].ready(seconds=_PATIENCE)
        return self.feed.asks

    async def run(self, request: Request) -> Response:
        """The run and its graph."""
        return _json(await self.runs.page(*_key(request)))

    async def trace(self, request: Request) -> Response:
        """The run with its calls."""
        return _json(await self.runs.trace(*_key(request)))

    async def manifest(self, request: Request) -> Response:
        """The run as YAML."""
        return JSONResponse(await self.runs.manifest(*_key(request)))

    async def io(self, request: Request) -> Response:
        """Inputs and output of a node."""
        node = request.query_params.get("node", "")
        return JSONResponse(await self.runs.io(*_key(request), node))

    async def attempts(self, request: Request) -> Response:
        """How two attempts of a node differ."""
        node, given = _named(request, "node"), request.query_params.getlist("attempt")
        numbers = [_number(one, most=1_000_000) for one in given]
        return JSONResponse(await self.runs.attempts(*_key(request), node, numbers))

    async def log(self, request: Request) -> Response:
        """The end of the log of a node."""
        node, attempt = _named(request, "node"), request.query_params.get("attempt")
        number = _number(attempt, most=1_000_000) if attempt else None
        return JSONResponse(await self.runs.log(*_key(request), node, number))

    async def difference(self, request: Request) -> Response:
        """How the run differs from another one of its namespace."""
        other = _named(request, "other")
        return JSONResponse(await self.runs.difference(*_key(request), other))

    async def preview(self, request: Request) -> Response:
        """What the next round would do."""
        found = request.query_params
        wanted = asked(
            found.getlist("from"),
            found.getlist("skip"),
            latest=found.get("latest") == "1",
            refresh_memory=found.get("refreshMemory") == "1",
        )
        return JSONResponse(await self.runs.rerun(*_key(request), wanted))

    async def rerun(self, request: Request) -> Response:
        """Request the next round."""
        namespace, name = _key(request)
        body = await _body(request)
        message = await begin(self.runs.in_namespace(namespace), name, body)
        return JSONResponse({"message": message})

    async def question(self, request: Request) -> Response:
        """A question, and what follows a yes."""
        namespace, name = _key(request)
        asked, user = await read_question(self.runs.in_namespace(namespace), name)
        return JSONResponse({**asked.to_json(), "user": user})

    async def answer(self, request: Request) -> Response:
        """Answer a question."""
        namespace, name = _key(request)
        body = await _body(request)
        message = await give(self.runs.in_namespace(namespace), name, body)
        return JSONResponse({"message": message})

    async def switch(self, request: Request) -> Response:
        """Suspend, resume or cancel a run."""
        namespace, name = _key(request)
        fields = _SWITCHES.get(request.path_params["switch"])
        if fields is None:
            text = f"expected one of {', '.join(_SWITCHES)}"
            raise CommandError(text, code=Exit.NOT_FOUND)
        uid = (await _body(request)).get("uid")
        session = self.runs.in_namespace(namespace)
        await set_fields(session, name, fields, uid=uid if isinstance(uid, str) else "")
        return JSONResponse({"message": "requested"})

    async def changes(self, _: Request) -> Response:
        """The stream of changes. Proxies must not collect it."""
        headers = {"x-accel-buffering": "no", "cache-control": "no-store"}
        return StreamingResponse(
            changes(self.feed, ended=self.ended), media_type="text/event-stream", headers=headers
        )


def _answered(handler: Handler) -> Handler:
    """The handler, with errors as JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except CommandError as error:
            return problem(error)
        except CannotShow as error:
            return JSONResponse({"message": str(error)}, status_code=409)
        except ClusterError as error:
            return problem(explained(error))

    return answer


def problem(error: CommandError) -> Response:
    """The answer for an error. Refused credentials are no 401, which asks for another session."""
    status = _STATUS.get(error.code, 500)
    headers = {}
    if isinstance(error, AccessDenied):
        status = 403
    if isinstance(error, NotNow):
        status, headers = 503, {"retry-after": f"{max(error.retry_after, 1):.0f}"}
    return JSONResponse({"message": str(error)}, status_code=status, headers=headers)


def _json(payload: bytes) -> Response:
    return Response(payload, media_type="application/json")


def _key(request: Request) -> tuple[str, str]:
    return request.path_params["namespace"], request.path_params["name"]


def _named(request: Request, field: str) -> str:
    """A value of the query. Raises CommandError if it is missing."""
    if found := request.query_params.get(field):
        return found
    raise CommandError(f"{field}: expected a name", code=Exit.USAGE)


def _query(request: Request) -> Query:
    """Raises CommandError for a number that is none."""
    found = request.query_params
    return Query(
        namespace=found.get("namespace", ""),
        phases=frozenset(found.getlist("phase")),
        text=found.get("q", "")[:200],
        template=found.get("template", ""),
        labels=tuple(found.getlist("label")),
        after=_after(found.get("since", "")),
        offset=_number(found.get("offset", "0"), most=1_000_000),
        limit=_number(found.get("limit", "100"), most=_LARGEST_PAGE),
    )


def _after(since: str) -> str:
    """The time so long ago. Raises CommandError for something that is no such text."""
    if not since:
        return ""
    found = _SINCE.fullmatch(since)
    if found is None:
        text = f"since: expected a time such as 90m, 24h or 7d, found {since!r:.30}"
        raise CommandError(text, code=Exit.USAGE)
    past = timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    return (datetime.now(UTC) - past).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(given: str, *, most: int) -> int:
    if not given.isascii() or not given.isdecimal() or len(given) > 9:
        text = f"expected a number from 0 to {most}, found {given!r:.30}"
        raise CommandError(text, code=Exit.USAGE)
    return min(int(given), most)


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object in the body. Raises CommandError."""
    content = b""
    async for piece in request.stream():
        content += piece
        if len(content) > LARGEST_BODY:
            raise CommandError("the body is too large", code=Exit.USAGE)
    try:
        found = json.loads(content)
    except ValueError as error:
        raise CommandError(f"the body is not JSON: {error}", code=Exit.USAGE) from error
    if not isinstance(found, dict):
        raise CommandError("expected a JSON object", code=Exit.USAGE)
    return found
