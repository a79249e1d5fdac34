"""S374: the account of the pods of nodes is made where it is missing."""

from typing import Any

import pytest
from waypost.ports.cluster import AlreadyExists, Kind, Rejected, Unavailable
from waypost.runtime.writes.accounts import NodeAccounts


class Creates:
    """A cluster that answers creates with `answer`."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.bodies: list[dict[str, Any]] = []

    async def create(self, kind: Kind, *, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        assert kind is Kind.SERVICE_ACCOUNT
        self.bodies.append({"namespace": namespace, **body})
        if self.answer is not None:
            raise self.answer
        return body


class Ticks:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


def accounts(cluster: Creates, clock: Ticks, account: str = "waypost-node") -> NodeAccounts:
    return NodeAccounts(
        cluster=cluster,  # type: ignore[arg-type]
        monotonic=clock.monotonic,
        account=account,
    )


async def test_s374_one_for_each_namespace_again_after_five_minutes() -> None:
    cluster, clock = Creates(), Ticks()
    made = accounts(cluster, clock)
    for namespace in ("a", "b", "a"):
        await made.ensure(namespace)
    clock.now = 301.0
    await made.ensure("a")
    assert [body["namespace"] for body in cluster.bodies] == ["a", "b", "a"]
    body = cluster.bodies[0]
    assert body["metadata"]["name"] == "waypost-node"
    assert body["automountServiceAccountToken"] is False
    assert not {"annotations"} & body["metadata"].keys(), "no identity of a cloud"


@pytest.mark.parametrize(
    "answer",
    [AlreadyExists("there", code=409), Rejected("forbidden", code=403)],
    ids=["is-there", "refused"],
)
async def test_s374_an_account_that_is_there_is_used(answer: Exception) -> None:
    await accounts(Creates(answer), Ticks()).ensure("a")


async def test_s374_without_the_api_server_nothing_is_launched() -> None:
    cluster = Creates(Unavailable("no answer"))
    made = accounts(cluster, Ticks())
    for _ in range(2):
        with pytest.raises(Unavailable):
            await made.ensure("a")
    assert len(cluster.bodies) == 2, "it is tried again"


async def test_s374_no_account_no_request() -> None:
    cluster = Creates()
    await accounts(cluster, Ticks(), "").ensure("a")
    assert cluster.bodies == []
