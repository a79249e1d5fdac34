"""Runs an http node: sends one request and retries it where that is safe.

What `effect` allows (S53): `once` is sent again only when it was certainly not acted on,
that is after a failed connect, 429 and 503; anything else also after a broken connection and any
5xx. Waits are short: an attempt that is asked to wait longer ends, its record says for how long,
and the operator waits without a pod.
"""

import ssl
import time
from typing import Final

import httpx2
from waypost.protocol.reasons import Reason
from waypost.protocol.request import Request
from waypost.protocol.timestamps import now
from waypost.protocol.work import Trace, Usage, WorkFailed, WorkResult

from waypost_node.http import by_gateway
from waypost_node.http.broken import Broken
from waypost_node.http.exchange import exchange
from waypost_node.http.request import BadWork, HttpWork, read

TRIES: Final = 4
FIRST_WAIT: Final = 0.5  # seconds, doubled after each try
LONGEST_WAIT: Final = 30.0  # seconds
SPARE: Final = 0.5  # seconds reserved for writing the record


def perform(request: Request, *, deadline: float) -> WorkResult:
    """Send the request of an http node.

    Args:
        request: the request of this pod.
        deadline: the time.monotonic() at which the attempt ends.

    Returns:
        The output `{status, headers, body}`, with usage and trace.

    Raises:
        WorkFailed: no successful response.
    """
    try:
        work = read(request)
        trust = _trust(work)
    except BadWork as error:
        raise WorkFailed(Reason.INPUT_INVALID, str(error)) from None
    return _Tries(work, deadline - SPARE).result(trust)


def _trust(work: HttpWork) -> ssl.SSLContext:
    trust = httpx2.create_ssl_context()
    if work.ca_file is not None:
        try:
            trust.load_verify_locations(cafile=work.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise BadWork(
                f"http.tls: {work.ca_file} contains no certificates (PEM): {error}"
            ) from None
    return trust


class _Tries:
    """The tries of one attempt, and a trace of the waits between them."""

    def __init__(self, work: HttpWork, deadline: float) -> None:
        self._work = work
        self._deadline = deadline
        self._trace = Trace()

    def result(self, trust: ssl.SSLContext) -> WorkResult:
        """The output of the first try that succeeds. Raises WorkFailed."""
        pause, number = FIRST_WAIT, 1
        with self._client(trust) as client:
            while True:
                left = max(self._deadline - time.monotonic(), 0.1)
                try:
                    output = exchange(client, self._work, seconds=left)
                except Broken as broken:
                    wait = max(pause, broken.retry_after or 0.0)
                    left = self._deadline - time.monotonic()
                    if not broken.again or number == TRIES or wait > min(LONGEST_WAIT, left):
                        raise self._failed(broken, number) from None
                    self._wait(wait, broken.reason)
                else:
                    return WorkResult(output, self._usage(), self._trace)
                pause, number = pause * 2, number + 1

    def _client(self, trust: ssl.SSLContext) -> httpx2.Client:
        if self._work.gateway is None:
            # The library asks for what it could unpack; `encodings` unpacks these.
            headers = {"Accept-Encoding": "gzip, deflate"}
            return httpx2.Client(verify=trust, follow_redirects=False, headers=headers)
        try:
            return by_gateway.client(self._work.gateway)
        except Broken as broken:
            raise self._failed(broken, 1) from None

    def _wait(self, seconds: float, reason: Reason) -> None:
        start = now()
        time.sleep(seconds)
        self._trace.add(
            "wait", start=start, end=now(), reason=str(reason), seconds=round(seconds, 3)
        )

    def _usage(self) -> Usage:
        return Usage(provider_waits=len(self._trace.entries))

    def _failed(self, broken: Broken, tries: int) -> WorkFailed:
        work = self._work
        place = work.url.copy_with(query=None, fragment=None)
        often = f" ({tries} tries)" if tries > 1 else ""
        return WorkFailed(
            broken.reason,
            work.redact(f"{work.method} {place}: {broken}{often}"),
            usage=self._usage(),
            trace=self._trace,
            retry_after=broken.retry_after,
        )
