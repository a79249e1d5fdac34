"""Reaching MCP servers, for the probe and for the loop alike."""

import json
import logging
from typing import Any, Final, NamedTuple

import httpx2
import pydantic
from mcp import MCPError
from mcp_types import PARSE_ERROR
from waypost.protocol.probe import ProbeReason, Verdict
from waypost_node import endpoint_access
from waypost_node.redaction import public

from waypost_agent.http_responses import redirect_in, start_of
from waypost_agent.provider.model_gateway import REFUSED_HEADER
from waypost_agent.provider.tool_gateway import (
    GatewayClient,
    NotSent,
    refused_by_gateway,
    verdict_of,
)
from waypost_agent.tools import mcp_messages
from waypost_agent.tools.oauth import RENEWABLE, ClientCredentials
from waypost_agent.validation_errors import first_problem

# The session's own clock comes first: it ends one call, this one the whole session.
_LATER: Final = 5.0
_LARGEST: Final = 64 * 1024 * 1024  # bytes of an answer; a larger result is cut by us
_ERROR: Final = 64 * 1024  # bytes of an error
_SHOWN: Final = 300  # characters of a server's words
# It logs answers that it cannot read, with secrets that they may repeat.
logging.getLogger("mcp").setLevel(logging.CRITICAL)


class Refused(NamedTuple):
    """An HTTP request that failed. `status`: of the answer, None where the request was not sent;
    `words`: what the server said; `verdict`: what it means; `gateway`: the reason of the model
    gateway, if that refused it."""

    status: int | None
    words: str
    verdict: Verdict
    gateway: str = ""


class Refusals:
    """The HTTP requests of a session that failed: the MCP library keeps neither status nor
    words. `last` is the verdict on the last of them."""

    def __init__(self) -> None:
        self.last: Verdict | None = None
        self._last_message = b""
        self._calls: dict[str, tuple[bytes, Refused]] = {}  # with the message that made the call

    def note(self, request: httpx2.Request, refused: Refused) -> None:
        """Remember a request that failed; its content was read."""
        self.last, self._last_message = refused.verdict, request.content
        try:
            params = json.loads(request.content)["params"]
            call = _key(params["name"], params.get("arguments"))
        except (KeyError, TypeError, ValueError):
            return  # no call of a tool
        self._calls[call] = (request.content, refused)

    def forget(self, request: httpx2.Request) -> None:
        """Forget how the message of this request failed, because it is sent again: the MCP library
        follows a redirect to the same host. An equal call has another id, and is kept."""
        if self._last_message == request.content:
            self.last = None
        self._calls = {k: v for k, v in self._calls.items() if v[0] != request.content}

    def of_call(self, name: str, arguments: Any) -> Refused | None:
        """How the last call with these arguments failed; forgotten then."""
        found = self._calls.pop(_key(name, arguments), None)
        return None if found is None else found[1]


class _Client(httpx2.AsyncClient):
    """Notes requests that found no connection: the server surely did not get them. Reads the
    content of each request, which the notes need."""

    refusals: Refusals

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        await request.aread()  # that of a redirect is a stream
        self.refusals.forget(request)
        try:
            return await super().send(request, **more)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            verdict = endpoint_access.unreachable(error, request.url)
            self.refusals.note(request, Refused(None, verdict.message, verdict))
            raise


class _BehindGateway(GatewayClient):
    """The same for a server behind the model gateway."""

    refusals: Refusals

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        await request.aread()
        self.refusals.forget(request)
        try:
            answer = await self.send_to_gateway(request, **more)
        except NotSent as error:
            verdict = Verdict(ProbeReason.UNREACHABLE, str(error))
            self.refusals.note(request, Refused(None, str(error), verdict))
            raise
        refusal = await refused_by_gateway(answer)
        if refusal is not None:
            verdict = verdict_of(refusal)
            refused = Refused(refusal.status, str(refusal), verdict, refusal.reason)
            self.refusals.note(request, refused)
        return answer


def client(
    document: dict[str, Any], keys: endpoint_access.Keys, *, seconds: float, refusals: Refusals
) -> httpx2.AsyncClient:
    """A client with the headers and the trust of a server's document. Requests that fail are noted
    in `refusals`. Raises endpoint_access.Unfit."""

    async def note(answer: httpx2.Response) -> None:
        if REFUSED_HEADER in answer.headers:
            return
        if answer.status_code == 401 and RENEWABLE in answer.request.extensions:
            return  # it is sent again with a new token
        number = _asked(answer.request)
        if number is None and answer.is_success:
            return
        kind = answer.headers.get("content-type", "").lower()
        if answer.status_code == 200 and kind.startswith("text/event-stream"):
            return
        if answer.status_code == 200 and kind.startswith("application/json"):
            answer._content = mcp_messages.message(await start_of(answer, _LARGEST), number)
            return
        body: bytes | None = None
        if answer.status_code == 200 and number is not None:
            body = await start_of(answer, _LARGEST)
            if mcp_messages.is_answer(body):  # under another content type
                answer.headers["content-type"] = "application/json"
                answer._content = mcp_messages.message(body, number)
                return
        if answer.request.method == "POST":
            # A redirect to another host is not followed: the keys in the headers would go there.
            words = redirect_in(answer)
            if not words:
                found = await start_of(answer, _ERROR) if body is None else body[:_ERROR]
                answer._content = found
                words = endpoint_access.said_in(answer._content, keys.redact)
            verdict = endpoint_access.refused(answer.status_code, words, url)
            if answer.is_success:
                verdict = _no_mcp(answer.status_code, words, url)
            refusals.note(answer.request, Refused(answer.status_code, words, verdict))

    url = shown_url(document)
    timeout = httpx2.Timeout(seconds, read=seconds + _LATER)
    http = _made(document, keys, timeout=timeout, refusals=refusals)
    http.event_hooks["response"].append(note)
    return http


def _made(
    document: dict[str, Any],
    keys: endpoint_access.Keys,
    *,
    timeout: httpx2.Timeout,
    refusals: Refusals,
) -> httpx2.AsyncClient:
    if "tokenFile" in document:
        url, token_file = document["url"], document["tokenFile"]
        usual = {"User-Agent": "waypost"}
        behind = _BehindGateway(url, token_file, headers=usual, timeout=timeout)
        behind.refusals = refusals
        return behind
    headers = httpx2.Headers({"User-Agent": "waypost"})
    headers.update(endpoint_access.headers_of(document, keys))
    http = _Client(
        headers=headers, verify=endpoint_access.trust(document.get("caFile")), timeout=timeout
    )
    http.refusals = refusals
    if "oauth" in document:
        http.auth = ClientCredentials(
            document["oauth"],
            keys,
            ca_file=document.get("caFile"),
            on_failure=lambda request, failure: refusals.note(
                request, Refused(failure.status, failure.verdict.message, failure.verdict)
            ),
        )
    endpoint_access.add_query(http, endpoint_access.query_of(document, keys))
    return http


def shown_url(document: dict[str, Any]) -> httpx2.URL:
    """The address of a server for messages, also behind the model gateway; without query, which may
    hold a secret. Raises endpoint_access.Unfit."""
    return endpoint_access.address(document.get("upstreamUrl") or document["url"])


def _no_mcp(status: int, words: str, url: httpx2.URL) -> Verdict:
    text = f"{url} answered {status}: {words or 'nothing'}; what answers there does not speak MCP"
    hint = "check the path: many servers answer at /mcp"
    return Verdict(ProbeReason.UNEXPECTED_ANSWER, f"{text} over streamable HTTP; {hint}")


def _asked(request: httpx2.Request) -> Any:
    """The id of a JSON-RPC request; None for anything else."""
    try:
        document = json.loads(request.content)
    except ValueError:
        return None
    return document.get("id") if isinstance(document, dict) and "method" in document else None


def failure(
    error: BaseException, url: httpx2.URL, refusals: Refusals, keys: endpoint_access.Keys
) -> Verdict:
    """What a server said instead of speaking MCP, or why it could not be reached."""
    for leaf in leaves(error):
        if isinstance(leaf, httpx2.ConnectError | httpx2.TimeoutException | TimeoutError):
            return endpoint_access.unreachable(leaf, url, keys.redact)
    if refusals.last is not None:
        return refusals.last
    for leaf in leaves(error):
        if isinstance(leaf, httpx2.HTTPError):
            return endpoint_access.unreachable(leaf, url, keys.redact)
    hint = "check the path: many servers answer at /mcp"
    if isinstance(leaves(error)[0], MCPError):
        text = f"{url} answered with an error: {said(error, keys)}; {hint}"
        return Verdict(ProbeReason.UNEXPECTED_ANSWER, text)
    text = f"{url} does not speak MCP over streamable HTTP: {said(error, keys)}; {hint}"
    return Verdict(ProbeReason.UNEXPECTED_ANSWER, text)


def said(error: BaseException, keys: endpoint_access.Keys) -> str:
    """The text of the first error in a group, short, on one line and without `keys`."""
    leaf = next(iter(leaves(error)))
    if isinstance(leaf, pydantic.ValidationError):
        return public(f"its answer has {first_problem(leaf)}", keys.redact, _SHOWN)
    if isinstance(leaf, MCPError) and leaf.code == PARSE_ERROR and str(leaf).startswith("Failed"):
        return "its answer is no JSON-RPC message"  # in place of the library's dump
    plain = isinstance(leaf, MCPError | RuntimeError | ValueError)
    name = "" if plain else f"{type(leaf).__name__}: "
    return public(f"{name}{leaf}", keys.redact, _SHOWN)


def leaves(error: BaseException) -> list[BaseException]:
    """The errors of a group; what caused one that stands alone comes after it."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    cause = error.__cause__
    return [error] if cause is None else [error, *leaves(cause)]


def _key(name: str, arguments: Any) -> str:
    return json.dumps([name, arguments or {}], sort_keys=True, default=str)
