"""One request to the API server: connections, credentials, deadline and errors.

No request is repeated here, because only the caller can tell whether its fence still holds. The
exception is a 401, which guarantees that nothing was done. (aiohttp itself repeats a GET or DELETE
once when a kept connection turns out to be closed; never a POST or PATCH.)
"""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from waypost import __version__
from waypost.adapters.credentials import Credentials, CredentialsError, CredentialSource
from waypost.adapters.kube_errors import error_from
from waypost.ports.cluster import ClusterError, Obj, Unavailable
from waypost.ports.telemetry import Requests

USER_AGENT = f"waypost-operator/{__version__}"
REQUEST_TIMEOUT = 10.0  # seconds; as long as a fence, which no request may outlive
CONNECTIONS = 64
STREAMED = 512 * 1024
LARGEST_LINE = 32 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """One request, and its `verb` and `resource` for metrics. `accept`: the form of the answer; ""
    for the usual one."""

    method: str
    path: str
    verb: str
    resource: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = ""


@dataclass(frozen=True)
class Answer:
    """A response of the API server: HTTP status, headers and the undecoded body."""

    status: int
    headers: Mapping[str, str]
    payload: bytes


class Transport:
    """A pool of authenticated connections to one API server."""

    def __init__(
        self,
        *,
        credentials: CredentialSource,
        telemetry: Requests,
        timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        self._source = credentials
        self._telemetry = telemetry
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._session_of: tuple[object, ...] = ()
        self._closed = False

    async def close(self) -> None:
        """Close all connections; later requests raise Unavailable."""
        self._closed = True
        await self._drop_session()

    async def json(self, call: Call) -> Obj:
        """Send `call` and parse the response as a JSON object. Raises ClusterError."""
        answer = await self.request(call)
        try:
            parsed = json.loads(answer.payload)
        except ValueError as error:
            raise Unavailable(f"{call.verb} {call.path}: not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise Unavailable(f"{call.verb} {call.path}: not a JSON object")
        return parsed

    async def request(self, call: Call) -> Answer:
        """Send `call` and return the 2xx response. Raises ClusterError, also after the timeout."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._logged_in(call)
        except TimeoutError as error:
            message = f"{call.verb} {call.path}: no answer within {self._timeout:g} s"
            raise Unavailable(message) from error
        except (aiohttp.ClientError, OSError, CredentialsError) as error:
            message = f"{call.verb} {call.path}: {str(error) or type(error).__name__}"
            raise Unavailable(message) from error
        if 200 <= answer.status < 300:
            return answer
        raise _failed(answer)

    async def lines(self, call: Call, *, silence: float) -> AsyncIterator[bytes]:
        """The lines of a response, each when it arrives, until the server ends it.

        Args:
            call: The request.
            silence: Seconds without any byte after which the connection counts as broken.

        Raises:
            ClusterError: The request was refused, or the connection broke.
        """
        credentials = await self._source.current()
        session = await self._session_for(credentials)
        headers = {"Authorization": credentials.authorization} if credentials.authorization else {}
        try:
            async with session.request(
                call.method,
                URL(credentials.server + call.path, encoded=True).with_query(call.params),
                headers=headers,
                allow_redirects=False,
                server_hostname=credentials.tls_server_name,
                proxy=credentials.proxy,
                timeout=aiohttp.ClientTimeout(total=None, sock_read=silence),
            ) as response:
                if response.status == 401:
                    await self._source.renew(refused=credentials)
                if response.status != 200:
                    payload = await response.read()
                    raise _failed(Answer(response.status, response.headers, payload))
                async for line in _split(response.content):
                    yield line
                    del line  # it may be large, and the next one come hours later
        except (TimeoutError, aiohttp.ClientError, OSError, CredentialsError) as error:
            message = f"{call.verb} {call.path}: {str(error) or type(error).__name__}"
            raise Unavailable(message) from error

    async def _logged_in(self, call: Call) -> Answer:
        credentials = await self._source.current()
        answer = await self._exchange(call, credentials)
        if answer.status != 401:
            return answer
        credentials = await self._source.renew(refused=credentials)
        return await self._exchange(call, credentials)

    async def _exchange(self, call: Call, credentials: Credentials) -> Answer:
        session = await self._session_for(credentials)
        headers = {"Content-Type": call.content_type} if call.body is not None else {}
        if call.accept:
            headers["Accept"] = call.accept
        if credentials.authorization:
            headers["Authorization"] = credentials.authorization
        started, code = time.monotonic(), "error"
        try:
            async with session.request(
                call.method,
                URL(credentials.server + call.path, encoded=True).with_query(call.params),
                data=_sendable(call.body),
                headers=headers,
                allow_redirects=False,
                server_hostname=credentials.tls_server_name,
                proxy=credentials.proxy,
            ) as response:
                payload = await response.read()
                code = str(response.status)
                return Answer(response.status, response.headers, payload)
        except aiohttp.ClientSSLError:
            await self._drop_session()  # the CA or our certificate may have been rotated
            raise
        finally:
            self._telemetry.api_request(
                verb=call.verb,
                resource=call.resource,
                code=code,
                seconds=time.monotonic() - started,
            )

    async def _session_for(self, credentials: Credentials) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("the client is closed")
        if self._session is None or self._session_of != credentials.connection:
            stale, self._session = self._session, _new_session(credentials)
            self._session_of = credentials.connection
            if stale is not None:
                await stale.close()
        return self._session

    async def _drop_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _split(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Complete lines. An object may be larger than what `readline` of aiohttp accepts."""
    rest = bytearray()
    async for piece in content.iter_any():
        rest += piece
        *whole, rest = rest.split(b"\n")
        whole.reverse()
        while whole:
            yield bytes(whole.pop())
        if len(rest) > LARGEST_LINE:
            raise Unavailable(f"a line of the response is longer than {LARGEST_LINE:,} bytes")


def _sendable(body: bytes | None) -> bytes | io.BytesIO | None:
    """A large body as a stream: aiohttp warns when it has to write it in one piece."""
    return io.BytesIO(body) if body is not None and len(body) > STREAMED else body


def _new_session(credentials: Credentials) -> aiohttp.ClientSession:
    secure = credentials.server.startswith("https:")
    connector = aiohttp.TCPConnector(
        limit=CONNECTIONS, ssl=credentials.ssl_context() if secure else True
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers={"Accept": "application/json", "User-Agent": USER_AGENT},
        timeout=aiohttp.ClientTimeout(total=None),  # asyncio.timeout bounds the whole call
    )


def _failed(answer: Answer) -> ClusterError:
    return error_from(status=answer.status, headers=answer.headers, payload=answer.payload)
