"""Rules for `isolation.egress`: what a node could not work with, and what is never allowed."""

from collections.abc import Iterator
from typing import Final

from waypost.api.isolation.egress import Allow, Destination
from waypost.api.isolation.model import Isolation, merged
from waypost.api.kinds.http import HttpKind
from waypost.api.kinds.table import kind_of, work_of
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.problems import Problem
from waypost.kube.egress.forwarded import fixed_part, host_of, may_be_sent
from waypost.kube.egress.ranges import FORBIDDEN, network_of, within

# Kinds whose program needs an address outside of the cluster.
_CALLS_OUT: Final = ("agent", "http")


def egress_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report egress that the node cannot work with, and destinations that are none (S381, S382)."""
    base = spec.defaults.isolation if spec.defaults else None
    if base is not None:
        yield from _fields("defaults.isolation", base)
    for node in spec.all_nodes:
        if not kind_of(node).has_pod:
            continue
        place = f"{node.place}.isolation"
        if node.isolation is not None:
            yield from _fields(place, node.isolation)
        given = merged(base, node.isolation)
        if node.isolation and node.isolation.verify and given.egress in (None, "Inherit"):
            yield Problem(f"{place}.verify", "is only used with an egress other than Inherit")
        yield from _of_kind(f"{place}.egress", node, given)


def _fields(place: str, given: Isolation) -> Iterator[Problem]:
    if given.egress == "AllowList" and given.allow is None:
        yield Problem(f"{place}.allow", "is missing; say in allow.to where the pod may connect to")
    if given.allow is not None:
        if given.egress != "AllowList":
            yield Problem(f"{place}.allow", "is only used with egress: AllowList beside it")
        yield from _allowed(f"{place}.allow", given.allow)


def _allowed(place: str, allow: Allow) -> Iterator[Problem]:
    if not allow.to and not allow.dns:
        yield Problem(place, "allows nothing; set allow.to, or use egress: Gateway")
    for at, destination in enumerate(allow.to or ()):
        yield from _destination(f"{place}.to[{at}]", destination)


def _destination(place: str, given: Destination) -> Iterator[Problem]:
    if (given.cidr is None) == (given.pods is None):
        found = "none of them" if given.cidr is None else "both"
        yield Problem(place, f"expected exactly one of cidr and pods; found {found}")
        return
    if given.pods is not None:
        if not given.pods:
            yield Problem(f"{place}.pods", "has no label; it would allow each pod of the namespace")
        if given.except_:
            yield Problem(f"{place}.except", "is only used with cidr")
        return
    if given.namespace is not None:
        yield Problem(f"{place}.namespace", "is only used with pods")
    network = network_of(given.cidr or "")
    if network is None:
        text = "expected a network such as 203.0.113.0/24, without bits behind the prefix"
        yield Problem(f"{place}.cidr", f"{text}; found {given.cidr!r}")
        return
    if forbidden := within(network, FORBIDDEN):
        text = (
            f"{network} is in {forbidden}: metadata services, the machine itself, or no single host"
        )
        yield Problem(f"{place}.cidr", f"{text}; no node may reach it")
    for at, named in enumerate(given.except_ or ()):
        part = network_of(named)
        if part is None or part == network or not within(part, [network]):
            yield Problem(f"{place}.except[{at}]", f"expected a part of {network}; found {named!r}")


def _of_kind(place: str, node: Node, given: Isolation) -> Iterator[Problem]:
    kind = kind_of(node).name
    if given.egress == "None":
        if kind in _CALLS_OUT:
            yield Problem(place, f"None lets no {kind} node work; use AllowList")
        if node.artifacts is not None:
            yield Problem(place, "None cuts the pod off from the gateway, which has the artifacts")
        if getattr(work_of(node), "large_output", None):
            yield Problem(place, "None cuts the pod off from the gateway, which takes largeOutput")
    if given.egress == "Gateway" and node.http is not None:
        yield from _forwarded(node.place, node.http)


def _forwarded(place: str, http: HttpKind) -> Iterator[Problem]:
    """What the model gateway does not send for an http node (S721)."""
    if not host_of(fixed_part(http.url)):
        text = (
            "expected scheme and host as text, without user and password, such as "
            "https://api.example.com/items/${...}: with egress: Gateway no expression chooses them"
        )
        yield Problem(f"{place}.http.url", text)
    for at, header in enumerate(http.headers or ()):
        if not may_be_sent(header.name):
            text = f"the model gateway does not send {header.name}; remove it, or use AllowList"
            yield Problem(f"{place}.http.headers[{at}].name", text)
