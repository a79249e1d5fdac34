"""Which pod a token is bound to: reviews by the API server, as few as possible.

Anyone who reaches the gateway may send tokens, and each review is a write request of the API
server. So what cannot be a token for the gateway is refused without one, an answer is kept for a
while, also a refusal, and there is a limit for all of them.
"""

import base64
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from waypost.gateway.refusals import RefusalReason, Refused
from waypost.kube import objects
from waypost.kube.manifests.tokens import TOKEN_MOUNT, PodToken
from waypost.ports.cluster import Busy, Cluster, Kind, Obj

REVIEWS_PER_SECOND: Final = 20
_CACHED_TOKENS: Final = 4096
_CACHE_SECONDS: Final = 30.0
_REFUSED_SECONDS: Final = 5.0
_LONGEST_TOKEN: Final = 16 * 1024
_CLOCK_SKEW: Final = 60.0  # seconds by which our clock may differ from that of the API server
_EXTRA: Final = "authentication.kubernetes.io/pod-"
_ACCOUNT: Final = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):[a-z0-9.-]{1,253}")
_BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]+)")


@dataclass(frozen=True)
class TokenPod:
    """The pod to which a token is bound."""

    namespace: str
    name: str
    uid: str


class TokenReviews:
    """Asks the API server about tokens, and remembers what it said.

    Args:
        cluster: The API server.
        accepted: The token that pods show.
        monotonic: Seconds that only increase.
        now: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        accepted: PodToken,
        monotonic: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._accepted = accepted
        self._monotonic = monotonic
        self._now = now
        # By digest of the token: until when, and the pod or why there is none.
        self._known: OrderedDict[bytes, tuple[float, TokenPod | Refused]] = OrderedDict()
        self._permits = float(REVIEWS_PER_SECOND)
        self._counted_at = monotonic()

    async def pod_of(self, authorization: str) -> TokenPod:
        """The pod of an Authorization header.

        Raises:
            Refused: The header has no token, or none of a pod for the gateway.
            Busy: There were more tokens to review than the limit.
            ClusterError: The API server failed.
        """
        token = _token(authorization)
        key = hashlib.sha256(token.encode()).digest()
        known = self._known.get(key)
        if known is not None and self._monotonic() < known[0]:
            return _pod_or_refusal(known[1])
        if problem := _claims_problem(token, self._accepted, now=self._now()):
            raise Refused(RefusalReason.TOKEN_REFUSED, problem)
        self._take_permit()
        answer = await self._review(token)
        kept = _REFUSED_SECONDS if isinstance(answer, Refused) else _CACHE_SECONDS
        self._known[key] = (self._monotonic() + kept, answer)
        self._known.move_to_end(key)
        while len(self._known) > _CACHED_TOKENS:
            self._known.popitem(last=False)
        return _pod_or_refusal(answer)

    def _take_permit(self) -> None:
        now = self._monotonic()
        refilled = self._permits + (now - self._counted_at) * REVIEWS_PER_SECOND
        self._permits, self._counted_at = min(refilled, float(REVIEWS_PER_SECOND)), now
        if self._permits < 1:
            raise Busy("too many tokens that the API server has to review", retry_after=1.0)
        self._permits -= 1

    async def _review(self, token: str) -> TokenPod | Refused:
        audience = self._accepted.audience
        body = {
            "apiVersion": Kind.TOKEN_REVIEW.api_version,
            "kind": Kind.TOKEN_REVIEW.kind,
            "spec": {"token": token, "audiences": [audience]},
        }
        answer = await self._cluster.create(Kind.TOKEN_REVIEW, namespace="", body=body)
        status = objects.section(answer, "status")
        audiences = status.get("audiences")
        fits = isinstance(audiences, list) and audience in audiences
        if status.get("authenticated") is not True or not fits:
            # Not the server's message: it may contain the token.
            text = f"the token is expired, revoked or not issued for audience {audience}"
            return Refused(RefusalReason.TOKEN_REFUSED, text)
        user = objects.section(status, "user")
        account = _ACCOUNT.fullmatch(objects.text(user, "username"))
        name, uid = (_only(user, f"{_EXTRA}{part}") for part in ("name", "uid"))
        if account is None or not name or not uid:
            return Refused(RefusalReason.NOT_A_POD, "the token is not bound to a pod")
        return TokenPod(account[1], name, uid)


def _pod_or_refusal(answer: TokenPod | Refused) -> TokenPod:
    if isinstance(answer, Refused):
        raise Refused(answer.why, answer.message)  # a new one: each raise adds to a traceback
    return answer


def _token(authorization: str) -> str:
    if not authorization:
        raise Refused(
            RefusalReason.TOKEN_MISSING,
            "no Authorization header; expected Bearer <token of the pod>",
        )
    found = _BEARER.fullmatch(authorization)
    if found is None or len(found[1]) > _LONGEST_TOKEN:
        raise Refused(
            RefusalReason.TOKEN_REFUSED,
            "malformed Authorization header; expected Bearer <token of the pod>",
        )
    return found[1]


def _claims_problem(token: str, accepted: PodToken, *, now: float) -> str:
    """Why a token cannot be one for the gateway, by what it says of itself; "" if it can be.

    Nothing here proves that it is genuine: only the API server does.
    """
    file = f"{TOKEN_MOUNT}/{accepted.file}"
    parts = token.split(".")
    claims = _decoded(parts[1]) if len(parts) == 3 else None
    if claims is None:
        return f"the token is not a JWT; expected the content of the file {file}"
    audiences = claims.get("aud")
    if accepted.audience not in (audiences if isinstance(audiences, list) else [audiences]):
        return f"the token is not issued for audience {accepted.audience}"
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or expires < now - _CLOCK_SKEW:
        return f"the token is expired; read the file {file} again"
    return ""


def _decoded(part: str) -> dict[str, Any] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):  # base64 and JSON errors are ValueErrors
        return None
    return found if isinstance(found, dict) else None


def _only(user: Obj, key: str) -> str:
    listed = objects.section(user, "extra").get(key)
    one = isinstance(listed, list) and len(listed) == 1 and isinstance(listed[0], str)
    return listed[0] if one else ""  # type: ignore[index]
