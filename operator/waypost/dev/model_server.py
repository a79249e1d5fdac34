"""A model server that answers from scripts, without a model.

It implements the APIs of OpenAI, Anthropic and Google, so that tests use the real clients.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from waypost.dev import anthropic_wire, google_wire, openai_wire
from waypost.dev.conversation import Answer, Ask, Failure, Json
from waypost.dev.journal import Journal
from waypost.dev.player import PREFIX, Played, Player
from waypost.dev.script import ScriptError, ScriptFile, parse
from waypost.dev.stream import Chunk

HEADERS: Final = {"x-waypost-scripted": "true"}


@dataclass(frozen=True)
class Wire:
    """The wire format of one provider."""

    write: Callable[[Ask, Answer], dict[str, Json]]
    stream: Callable[[Ask, Answer], Iterator[Chunk]]
    fail: Callable[[Failure], dict[str, Json]]


_OPENAI: Final = Wire(openai_wire.write, openai_wire.stream, openai_wire.fail)
_ANTHROPIC: Final = Wire(anthropic_wire.write, anthropic_wire.stream, anthropic_wire.fail)
_GOOGLE: Final = Wire(google_wire.write, google_wire.stream, google_wire.fail)


class ModelServer:
    """The endpoints over one player and one journal."""

    def __init__(self, scripts: ScriptFile, *, journal: Journal | None = None) -> None:
        self.player = Player(dict(scripts.scripts))
        self.journal = journal or Journal()
        self._api_key = scripts.api_key

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/healthz", _health),
                Route("/_log", self._log),
                Route("/_script", self._load, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._openai, methods=["POST"]),
                Route("/v1/messages", self._anthropic, methods=["POST"]),
                Route("/{version}/models/{call:path}", self._google, methods=["POST"]),
            ]
        )

    async def _openai(self, request: Request) -> Response:
        return await self._answered(request, _OPENAI, openai_wire.read)

    async def _anthropic(self, request: Request) -> Response:
        return await self._answered(request, _ANTHROPIC, anthropic_wire.read)

    async def _google(self, request: Request) -> Response:
        model, _, verb = request.path_params["call"].rpartition(":")
        if verb not in ("generateContent", "streamGenerateContent"):
            text = f"unknown method {verb!r}; expected generateContent or streamGenerateContent"
            return _failed(Failure(404, text), _GOOGLE)
        streamed = verb == "streamGenerateContent"
        return await self._answered(
            request,
            _GOOGLE,
            lambda body: google_wire.read(body, model=model, streamed=streamed),
        )

    async def _answered(
        self, request: Request, wire: Wire, read: Callable[[dict[str, Any]], Ask]
    ) -> Response:
        if self._api_key and self._api_key not in _keys(request):
            return _failed(Failure(401, "the API key is missing or wrong", code="bad_key"), wire)
        try:
            ask = read(await request.json())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            text = f"malformed request: {type(error).__name__}: {error}"
            return _failed(Failure(400, text, code="invalid_request"), wire)
        played = self.player.play(ask)
        self.journal.note(ask, played)
        return await _delivered(request, wire, ask, played)

    async def _models(self, _: Request) -> Response:
        names = [f"{PREFIX}{name}" for name in sorted(self.player.scripts)]
        listed = [{"id": name, "object": "model", "owned_by": "waypost"} for name in names]
        return _json({"object": "list", "data": listed})

    async def _log(self, request: Request) -> Response:
        return _json(self.journal.to_json(script=request.query_params.get("script")))

    async def _load(self, request: Request) -> Response:
        text = await request.body()
        try:
            scripts = parse(text.decode("utf-8"), source="body").scripts
        except (ScriptError, UnicodeDecodeError) as error:
            return _json({"error": str(error)}, status=422)
        self.player.load(scripts)
        return _json({"loaded": sorted(scripts)})


async def _health(_: Request) -> Response:
    return _json({"status": "ok", "scripted": True})


async def _delivered(request: Request, wire: Wire, ask: Ask, played: Played) -> Response:
    result = played.result
    if isinstance(result, Failure):
        await _pause(request, result.hang)
        return _failed(result, wire)
    if ask.stream:
        return StreamingResponse(
            _paced(wire.stream(ask, result), result.tokens_per_second),
            media_type="text/event-stream",
            headers=HEADERS,
        )
    if result.tokens_per_second:
        await _pause(request, result.usage.output / result.tokens_per_second)
    return _json(wire.write(ask, result))


async def _pause(request: Request, seconds: float) -> None:
    """Wait, but not longer than the client stays connected."""
    if seconds <= 0:
        return
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait([gone], timeout=seconds)
    finally:
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _paced(chunks: Iterable[Chunk], tokens_per_second: float | None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(chunk.seconds(tokens_per_second))
        yield chunk.encode()


def _keys(request: Request) -> set[str]:
    """The API keys in a request, in the headers of all providers."""
    headers = request.headers
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    return {bearer, headers.get("x-api-key", ""), headers.get("x-goog-api-key", "")}


def _failed(failure: Failure, wire: Wire) -> Response:
    headers = {}
    if failure.retry_after is not None:
        headers["retry-after"] = f"{failure.retry_after:g}"
    return _json(wire.fail(failure), status=failure.status, headers=headers)


def _json(content: Json, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(content, status, headers={**HEADERS, **(headers or {})})
