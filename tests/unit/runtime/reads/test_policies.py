"""S373: which policy holds in a namespace, and when its labels are read."""

from typing import Any

import pytest
from waypost.api.isolation.policy import NamespacePolicy
from waypost.ports.cluster import Kind, NotFound, Unavailable
from waypost.runtime.reads.policies import Policies

LABELLED = NamespacePolicy(match_labels={"team": "a"}, runtime_class="gvisor")


class Space:
    """A cluster with one namespace."""

    def __init__(self) -> None:
        self.labels: dict[str, str] | None = {"team": "a"}
        self.reads = 0
        self.down = False

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> dict[str, Any]:
        assert (kind, namespace, name) == (Kind.NAMESPACE, None, "team")
        self.reads += 1
        if self.down:
            raise Unavailable("no answer")
        if self.labels is None:
            raise NotFound("gone")
        return {"metadata": {"name": name, "labels": self.labels}}


class Ticks:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


def policies(space: Space, clock: Ticks, *given: NamespacePolicy) -> Policies:
    return Policies(cluster=space, clock=clock, policies=given)  # type: ignore[arg-type]


async def test_s373_labels_are_read_once_in_30_s() -> None:
    space, clock = Space(), Ticks()
    found = policies(space, clock, LABELLED)
    assert await found.of("team") == LABELLED
    space.labels = {}
    assert await found.of("team") == LABELLED
    clock.now = 31.0
    assert await found.of("team") == NamespacePolicy()
    assert space.reads == 2


async def test_s373_a_namespace_that_cannot_be_read_has_no_policy_yet() -> None:
    space = Space()
    space.down = True
    with pytest.raises(Unavailable):
        await policies(space, Ticks(), LABELLED).of("team")


async def test_s373_a_namespace_that_is_gone_has_the_default() -> None:
    space = Space()
    space.labels = None
    assert await policies(space, Ticks(), LABELLED).of("team") == NamespacePolicy()


async def test_s373_without_labels_nothing_is_read() -> None:
    space, everywhere = Space(), NamespacePolicy(runtime_class="runc")
    assert await policies(space, Ticks(), everywhere).of("team") == everywhere
    assert await policies(space, Ticks()).of("team") == NamespacePolicy()
    nothing = Policies(cluster=space, clock=Ticks(), policies=None)  # type: ignore[arg-type]
    assert await nothing.of("team") is None
    assert space.reads == 0
