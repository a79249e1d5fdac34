"""Artifacts of nodes: what an attempt makes, by its node, its number and what it took. A mix-up of
any of them gives another digest."""

import hashlib
from collections.abc import Sequence

from waypost.kube.objects import items
from waypost.ports.cluster import Obj
from waypost.protocol.artifacts.request import Content

from tests.simulation.scenario.plan import Node

NAME = "repo"  # of the artifact that a node makes


def content(name: str, attempt: int, taken: Sequence[str]) -> Content:
    """What an attempt makes; `taken` has the digests of what it took, in order."""
    text = " ".join((name, str(attempt), *taken))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Content(f"sha256:{digest}", 1024 + len(text), attempt)


def taken_by(request: Obj) -> list[str]:
    """The digests of the artifacts that a pod is given, by its request document."""
    return [one["digest"] for one in items(request, "artifacts", "in")]


def artifacts_of(node: Node) -> Obj:
    """`artifacts` of an entry of spec.nodes; {} if there are none."""
    made: Obj = {"out": [{"name": NAME, "path": "/data/out"}]} if node.makes else {}
    taken = [
        {"from": f"${{nodes.{name}.artifacts.{NAME}}}", "path": f"/data/in{at}"}
        for at, name in enumerate(node.takes)
    ]
    return {**made, **({"in": taken} if taken else {})}
