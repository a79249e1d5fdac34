"""The CAs in the Secret that the chart makes empty, and the replicas that share it (S779)."""

from datetime import timedelta
from pathlib import Path

import pytest
from waypost.gateway.tls.files import Files
from waypost.gateway.tls.secret import SelfSigned
from waypost.gateway.tls.serving import NoCertificate, Pair
from waypost.ports.cluster import ClusterError, Conflict, Kind, Obj, Rejected, Unavailable

from tests.fakes.clock import ManualClock
from tests.fakes.cluster import InMemoryCluster
from tests.gateway.place import change_object
from tests.gateway.tls.served import NAME

SECRET = "wp-ca"
HOME = "default"


def cluster_with_secret(clock: ManualClock, *, data: Obj | None = None) -> InMemoryCluster:
    cluster = InMemoryCluster(clock=clock)
    body: Obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}}
    if data is not None:
        body["data"] = data
    cluster.server.create(Kind.SECRET, namespace=HOME, body=body, by="helm")
    return cluster


def replica(cluster: InMemoryCluster, clock: ManualClock, *, server: str = NAME) -> SelfSigned:
    return SelfSigned(cluster=cluster, namespace=HOME, name=SECRET, server=server, now=clock.now)


def stored(cluster: InMemoryCluster) -> Obj:
    found: Obj = cluster.server.get(Kind.SECRET, namespace=HOME, name=SECRET).get("data", {})
    return found


async def test_the_first_replica_makes_the_ca_and_the_second_uses_it() -> None:
    clock = ManualClock()
    cluster = cluster_with_secret(clock)
    assert isinstance(await replica(cluster, clock).renewed(), Pair)
    made = stored(cluster)
    assert set(made) == {"ca.crt", "authorities.json"}
    assert isinstance(await replica(cluster, clock, server="wp-models").renewed(), Pair)
    assert stored(cluster) == made


async def test_a_replica_that_loses_the_race_uses_the_ca_of_the_other() -> None:
    clock = ManualClock()
    cluster = cluster_with_secret(clock)
    cluster.fail_next("patch", Kind.SECRET, Conflict("another one was faster"))
    assert isinstance(await replica(cluster, clock).renewed(), Pair)


async def test_two_that_read_an_empty_secret_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """S779: the slower one does not overwrite the CA that others trust already."""
    clock = ManualClock()
    cluster = cluster_with_secret(clock)
    read, made = cluster.get, list[Obj]()

    async def get(kind: Kind, *, namespace: str | None, name: str) -> Obj:
        found = await read(kind, namespace=namespace, name=name)
        if not made:
            made.append({})
            await replica(cluster, clock).renewed()
            made[0] = stored(cluster)
        return found

    monkeypatch.setattr(cluster, "get", get)
    await replica(cluster, clock).renewed()
    assert stored(cluster) == made[0]


async def test_a_certificate_is_renewed_at_half_of_its_time() -> None:
    clock = ManualClock()
    one = replica(cluster_with_secret(clock), clock)
    first = await one.renewed()
    clock.advance(timedelta(hours=11).total_seconds())
    assert await one.renewed() is None
    clock.advance(timedelta(hours=2).total_seconds())
    second = await one.renewed()
    assert second is not None
    assert second != first


async def test_the_next_ca_is_added_and_signs_ninety_days_later() -> None:
    """S779"""
    clock = ManualClock()
    cluster = cluster_with_secret(clock)
    one = replica(cluster, clock)
    await one.renewed()
    first = stored(cluster)["ca.crt"]
    clock.advance(timedelta(days=250).total_seconds())
    await one.renewed()
    assert stored(cluster)["ca.crt"] != first
    assert one._leaf is not None
    old = one._leaf.authority
    clock.advance(timedelta(days=90).total_seconds())
    await one.renewed()
    assert one._leaf.authority != old


async def test_a_secret_that_was_emptied_gets_another_ca() -> None:
    clock = ManualClock()
    cluster = cluster_with_secret(clock)
    one = replica(cluster, clock)
    first = await one.renewed()
    change_object(cluster, Kind.SECRET, SECRET, data={})
    second = await one.renewed()
    assert second is not None
    assert second != first


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param(Unavailable("no answer"), "no answer", id="api-server"),
        pytest.param(Rejected("is forbidden", code=403), "helm upgrade", id="no-right"),
    ],
)
async def test_a_secret_that_cannot_be_read(error: ClusterError, words: str) -> None:
    clock = ManualClock()
    cluster = cluster_with_secret(clock)
    cluster.fail_next("get", Kind.SECRET, error)
    with pytest.raises(NoCertificate, match=words):
        await replica(cluster, clock).renewed()


async def test_a_secret_with_other_data_is_not_overwritten() -> None:
    clock = ManualClock()
    cluster = cluster_with_secret(clock, data={"authorities.json": "bm8="})
    with pytest.raises(NoCertificate, match="delete its data"):
        await replica(cluster, clock).renewed()
    assert stored(cluster) == {"authorities.json": "bm8="}


async def test_files_are_given_once_and_again_when_they_change(tmp_path: Path) -> None:
    files = Files(tmp_path)
    with pytest.raises(NoCertificate, match=r"tls\.crt"):
        await files.renewed()
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(b"first")
    assert await files.renewed() == Pair(b"first", b"first")
    assert await files.renewed() is None
    (tmp_path / "tls.crt").write_bytes(b"second")
    assert await files.renewed() == Pair(b"second", b"first")
