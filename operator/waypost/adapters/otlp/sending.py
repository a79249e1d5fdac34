"""The exporter of the SDK, with what costs least for each batch.

Headers, certificates, compression, time-outs and retries are the SDK's, with their standard
variables. Over plain HTTP a batch goes over one connection without `requests`, which takes most of
the processor time of a small batch.
"""

import http.client
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from requests.structures import CaseInsensitiveDict

from waypost.adapters.otlp import encoding


class EncodedSpan(ReadableSpan):
    """A span in a batch: its message. What the SDK asks of it are resource, scope and context."""

    def __init__(self, content: bytes, **shared: Any) -> None:
        super().__init__(name="", **shared)
        self.content = content


class Exporter(OTLPSpanExporter):
    """Sends batches of spans of one resource and one scope to a URL."""

    def __init__(self, url: str) -> None:
        super().__init__(endpoint=url, session=Direct() if is_direct(url) else None)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        content = [span.content for span in spans if isinstance(span, EncodedSpan)]
        scope = spans[0].instrumentation_scope
        assert scope is not None, "our spans have one"
        named = (scope.name, scope.version or "", scope.schema_url or "")
        # The client is private: there is no other way to its retries without its encoder.
        sent = self._client.export(encoding.request(spans[0].resource, named, content))
        return SpanExportResult.SUCCESS if sent.success else SpanExportResult.FAILURE


def is_direct(url: str) -> bool:
    """Whether a URL is reached without TLS and without a proxy of the environment."""
    split = urlsplit(url)
    if split.scheme != "http":
        return False
    proxied = "http" in urllib.request.getproxies()
    return not proxied or bool(urllib.request.proxy_bypass(split.netloc))


class Whole(http.client.HTTPConnection):
    """Sends a request in one piece. `http.client` sends headers and body apart, and each piece
    costs a third of a small request."""

    def __init__(self, host: str, port: int | None) -> None:
        super().__init__(host, port)
        self._pieces: list[bytes] = []

    def send(self, data: Any) -> None:
        """Keep a piece of the request."""
        self._pieces.append(data)

    def flush(self) -> None:
        """Send what was kept; connects if that is needed."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        super().send(whole)

    def close(self) -> None:
        """Nothing of a request that was not sent goes into the next one."""
        self._pieces.clear()
        super().close()


class Direct(requests.Session):
    """Posts to one host over one connection, which it opens again when it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self._connection: Whole | None = None

    def request(self, method: Any, url: Any, *_: Any, **how: Any) -> requests.Response:
        """As of a session, with `headers`, `data` and `timeout` alone.

        Raises:
            requests.exceptions.ConnectionError: There is no answer.
        """
        split = urlsplit(url)
        if self._connection is None:
            self._connection = Whole(split.hostname or "", split.port)
        connection = self._connection
        connection.timeout = how["timeout"]
        if connection.sock is not None:
            connection.sock.settimeout(how["timeout"])
        try:
            connection.request(method, split.path, how["data"], dict(how["headers"]))
            connection.flush()
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise requests.exceptions.ConnectionError(error) from error
        return _response(answer, content)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        super().close()


def _response(answer: http.client.HTTPResponse, content: bytes) -> requests.Response:
    made = requests.Response()
    made.status_code, made.reason = answer.status, answer.reason
    made.headers = CaseInsensitiveDict(answer.getheaders())
    made._content = content
    return made
