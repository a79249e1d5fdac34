"""Which request the gateway sends for an http node.

The operator has rendered it into an annotation of the pod. Here it is compared with the node in the
definition of the run, so that a changed annotation reaches no other host.
"""

from dataclasses import dataclass
from typing import Final

from waypost.api.base import JsonObject
from waypost.api.kinds.http import HttpKind
from waypost.kube.egress.forwarded import (
    Forwarded,
    digest_of,
    forwarded_from_text,
    host_of,
    url_problem,
)
from waypost.model_gateway.core.nodes import node_at, require_gateway, spec_of
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused

_USUAL: Final = frozenset(range(200, 300))


@dataclass(frozen=True)
class Sending:
    """A request that may be sent: what the definition says of it, and what the operator did."""

    http: HttpKind
    request: Forwarded

    @property
    def host(self) -> str:
        """Where it goes."""
        return host_of(self.request.url)

    def accepts(self, status: int) -> bool:
        """Whether an answer with this status becomes the output of the node."""
        codes = self.http.success_codes
        return status in (_USUAL if codes is None else codes)

    def check_body(self, body: bytes) -> None:
        """Raise CallRefused unless it is the body that the operator has rendered."""
        if digest_of(body) != self.request.body:
            text = "the body is not that of the node"
            raise CallRefused(CallRefusal.BAD_REQUEST, text)


def sending_of(definition: JsonObject, *, path: str, annotation: str) -> Sending:
    """The request of a node.

    Args:
        definition: The spec of the run, with what it took from its template.
        path: The path of the node.
        annotation: That of its pod.

    Raises:
        CallRefused: The node is no http node whose requests the gateway sends, or the annotation
            is not that of this node.
    """
    spec = spec_of(definition)
    try:
        request = forwarded_from_text(annotation)
    except ValueError as error:
        raise CallRefused(CallRefusal.CALLER, str(error)) from None
    name, node = node_at(spec, path)
    if node is None or node.http is None:
        text = f"node {name} is no http node; only http nodes send requests"
        raise CallRefused(CallRefusal.CALLER, text)
    require_gateway(spec, node, passes="its request passes")
    if request.method != (node.http.method or "GET"):
        raise CallRefused(
            CallRefusal.PATH, f"the method of node {name} is not {request.method:.20}"
        )
    if problem := url_problem(request.url, node.http.url):
        raise CallRefused(CallRefusal.PATH, f"node {name}: {problem}")
    return Sending(node.http, request)
