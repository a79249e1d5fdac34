"""One request: who sent it, what becomes of it, and the WorkflowEvent that it makes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from waypost.api.base import JsonObject
from waypost.api.meta import ANNOTATION_TRACEPARENT
from waypost.api.source.model import EventSourceSpec, OidcToken
from waypost.ingress.core.content import content_of
from waypost.ingress.core.headers import Headers
from waypost.ingress.core.rates import Rates
from waypost.ingress.core.refusals import Refused, Why, unfit, unknown_sender
from waypost.ingress.core.signatures import has_token, is_signed
from waypost.ingress.core.tokens import is_accepted, key_name, token_in
from waypost.ingress.directory import Directory
from waypost.ingress.issuers import IssuerError, Issuers
from waypost.ingress.keys import Keys
from waypost.kube import objects
from waypost.kube.trace_ids import caller
from waypost.ports.cluster import (
    AlreadyExists,
    Cluster,
    ClusterError,
    Kind,
    NotFound,
    QuotaExceeded,
    Rejected,
)
from waypost.ports.offload import Offload
from waypost.sources.judge import Judgement, NoRule, Unfit, judge

_AGAIN: Final = 5  # seconds, after a failure that is not the sender's
_FULL: Final = 30  # seconds, when a quota is used up
_PAUSED: Final = 60
_ISSUER: Final = 60


@dataclass(frozen=True)
class Answer:
    """What a sender gets. `result` is the value of the metric label."""

    result: str
    status: int
    body: JsonObject
    location: str = ""
    event: str = ""  # name of the WorkflowEvent


@dataclass(frozen=True)
class Deliveries:
    """Handles requests.

    Attributes:
        cluster: Where events are created.
        directory: The sources.
        keys: Their secrets.
        issuers: The public keys of issuers of tokens.
        rates: Their limits.
        offload: Where bodies are parsed and rules evaluated.
        now: Seconds since 1970.
        monotonic: The clock of limits.
    """

    cluster: Cluster
    directory: Directory
    keys: Keys
    issuers: Issuers
    rates: Rates
    offload: Offload
    now: Callable[[], float]
    monotonic: Callable[[], float]

    async def deliver(self, namespace: str, source: str, headers: Headers, body: bytes) -> Answer:
        """Make a request an event.

        Args:
            namespace: From the path.
            source: From the path.
            headers: Those of the request.
            body: Its bytes.

        Raises:
            Refused: It becomes no event.
        """
        uid, spec = await self._known(namespace, source, headers, body)
        with self.rates.accepted(uid, per_minute=spec.requests_per_minute, now=self.monotonic()):
            judged = await self.offload(_judged, source, spec, headers, body)
            match judged:
                case NoRule():
                    return Answer("NoRule", 200, {"result": "NoRule"})
                case _Challenge(text=text):
                    return Answer("Challenge", 200, {"challenge": text})
                case Unfit():
                    raise unfit(judged)
                case _:
                    return await self._create(namespace, source, _called(judged, headers))

    async def show(self, namespace: str, source: str, event: str, headers: Headers) -> Answer:
        """What became of an event of a source. The request is signed as one with an empty body.

        Raises:
            Refused: The sender is not known, or the source has no such event.
        """
        await self._known(namespace, source, headers, b"")
        found = await self._event(namespace, event)
        if found is None or _origin(found).get("name") != source:
            raise Refused(
                Why.NOT_FOUND, f"the source has no event {event[:253]}; it may be deleted"
            )
        status = objects.section(found, "status")
        shown = {"id": event, "phase": status.get("phase") or "Pending"}
        if status.get("message"):
            shown["message"] = status["message"]
        if run := objects.section(status, "start").get("run"):
            shown["run"] = run
        return Answer("Shown", 200, shown, event=event)

    async def _known(
        self, namespace: str, source: str, headers: Headers, body: bytes
    ) -> tuple[str, EventSourceSpec]:
        """uid and spec of the source, once the sender has proved who it is. Raises Refused."""
        try:
            found = await self.directory.find(namespace, source)
            spec = found.spec if found is not None else None
            if (
                found is None
                or spec is None
                or not await self._proves(namespace, spec, headers, body)
            ):
                raise unknown_sender()
        except ClusterError as error:
            raise _unavailable(error) from error
        except IssuerError as error:
            text = "the keys of the issuer cannot be read now; send the request again"
            raise Refused(Why.UNAVAILABLE, text, again=_ISSUER) from error
        if not found.usable:
            text = f"EventSource {source} is not valid; its condition Accepted says why"
            raise Refused(Why.INVALID_SOURCE, text, again=_PAUSED)
        if spec.suspend:
            text = f"EventSource {source} is suspended; send the request again later"
            raise Refused(Why.SUSPENDED, text, again=_PAUSED)
        return found.uid, spec

    async def _proves(
        self, namespace: str, spec: EventSourceSpec, headers: Headers, body: bytes
    ) -> bool:
        if spec.auth.hmac is not None:
            preset = spec.auth.hmac.preset
            secrets = await self.keys.values(namespace, spec.auth.hmac.secrets)
            return is_signed(preset, secrets, headers, body, now=self.now())
        if spec.auth.bearer is not None:
            return has_token(await self.keys.values(namespace, spec.auth.bearer.tokens), headers)
        return spec.auth.oidc is not None and await self._has_claims(spec.auth.oidc, headers)

    async def _has_claims(self, expected: OidcToken, headers: Headers) -> bool:
        token = token_in(headers)
        name = key_name(token)
        if name is None:
            return False
        keys = await self.issuers.keys(expected.issuer, name)
        return is_accepted(token, keys, expected, now=self.now())

    async def _create(self, namespace: str, source: str, manifest: JsonObject) -> Answer:
        name = manifest["metadata"]["name"]
        location = f"/v1/events/{namespace}/{source}/{name}"
        body = {"id": name}
        try:
            await self.cluster.create(Kind.WORKFLOW_EVENT, namespace=namespace, body=manifest)
        except AlreadyExists:
            await self._is_known(namespace, manifest)
            return Answer("Known", 200, body, location, name)
        except QuotaExceeded as error:
            text = f"namespace {namespace} has no room for events (ResourceQuota)"
            raise Refused(Why.BUSY, text, again=_FULL) from error
        except Rejected as error:
            text = "the API server refused the event; the log of the ingress has its message"
            raise Refused(Why.REFUSED, text) from error
        except ClusterError as error:
            raise _unavailable(error) from error
        return Answer("Created", 202, body, location, name)

    async def _is_known(self, namespace: str, manifest: JsonObject) -> None:
        """Raises Refused unless the event with this name is that of this request."""
        found = await self._event(namespace, manifest["metadata"]["name"])
        if found is None:  # deleted a moment ago
            raise Refused(Why.UNAVAILABLE, "send the request again", again=1)
        if _origin(found) != manifest["spec"]["source"]:
            text = "an event that does not come from this source has the name of this one"
            raise Refused(Why.CONFLICT, text)

    async def _event(self, namespace: str, name: str) -> JsonObject | None:
        try:
            return await self.cluster.get(Kind.WORKFLOW_EVENT, namespace=namespace, name=name)
        except NotFound:
            return None
        except ClusterError as error:
            raise _unavailable(error) from error


@dataclass(frozen=True)
class _Challenge:
    """Slack asks whether this address is the receiver's."""

    text: str


def _judged(
    source: str, spec: EventSourceSpec, headers: Headers, body: bytes
) -> "Judgement | _Challenge":
    content = content_of(spec, headers, body)
    if (challenge := _challenge(spec, content.body)) is not None:
        return challenge
    return judge(source, spec, content)


def _challenge(spec: EventSourceSpec, body: Any) -> _Challenge | None:
    if spec.auth.hmac is None or spec.auth.hmac.preset != "Slack" or not isinstance(body, dict):
        return None
    text = body.get("challenge")
    asked = body.get("type") == "url_verification" and isinstance(text, str)
    return _Challenge(text) if asked and isinstance(text, str) else None


def _called(manifest: JsonObject, headers: Headers) -> JsonObject:
    """The event with the span of its sender, if the request names one (S752)."""
    given = headers.only("traceparent").strip()
    if caller(given) is None:
        return manifest
    metadata = manifest["metadata"]
    notes = {**metadata.get("annotations", {}), ANNOTATION_TRACEPARENT: given}
    return {**manifest, "metadata": {**metadata, "annotations": notes}}


def _origin(event: Any) -> JsonObject:
    return objects.section(event, "spec", "source")


def _unavailable(error: ClusterError) -> Refused:
    text = f"the API server cannot be used now ({type(error).__name__}); send the request again"
    return Refused(Why.UNAVAILABLE, text, again=_AGAIN)
