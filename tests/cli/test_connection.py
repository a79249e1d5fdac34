"""How a command connects, and what it says of errors of the cluster."""

from pathlib import Path

import pytest
from waypost.adapters.credentials import Credentials, CredentialsError
from waypost.cli.connection import cluster
from waypost.cli.connection.cluster import Session, Target, explained, with_cluster
from waypost.cli.connection.kubeconfig import Choice
from waypost.cli.errors import CommandError, Exit, NotNow
from waypost.ports.cluster import Busy, ClusterError, Unavailable

TARGET = Target(kubeconfig=None, context=None, namespace="demo")


class Source:
    """Credentials that are counted, or refused."""

    def __init__(self, problem: str = "") -> None:
        self.asked = 0
        self._problem = problem

    async def current(self) -> Credentials:
        self.asked += 1
        if self._problem:
            raise CredentialsError(self._problem)
        return Credentials(server="http://127.0.0.1:9")

    async def renew(self, *, refused: Credentials) -> Credentials:
        return refused


def use(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = Choice(path=Path("config"), context="one", namespace="demo")
    monkeypatch.setattr(cluster, "_chosen", lambda _: (chosen, source))


def test_s769_credentials_are_read_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To read a kubeconfig takes seconds, and a plug-in may wait for a person: that is not part of
    the time that a request has."""
    source = Source()
    use(source, monkeypatch)

    async def work(_: Session) -> int:
        return source.asked

    assert with_cluster(TARGET, work) == 1


def test_credentials_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    use(Source("kubeconfig config: no user"), monkeypatch)

    async def work(_: Session) -> None:
        raise AssertionError("there is no connection")

    with pytest.raises(CommandError, match=r"^kubeconfig config: no user$") as raised:
        with_cluster(TARGET, work)
    assert raised.value.code == Exit.CLUSTER


@pytest.mark.parametrize(
    ("error", "later", "text"),
    [
        pytest.param(
            Busy("storage is (re)initializing", retry_after=2),
            True,
            "the API server cannot answer now: storage is (re)initializing; try again in 2 s",
            id="storage-is-prepared",
        ),
        pytest.param(
            Unavailable("apiserver not ready", code=503),
            True,
            "the API server cannot answer now: apiserver not ready; try again in 1 s",
            id="starts",
        ),
        pytest.param(
            Unavailable("connection refused"),
            False,
            "cannot reach the cluster: connection refused",
            id="not-there",
        ),
        pytest.param(
            Unavailable("internal error", code=500),
            False,
            "cannot reach the cluster: internal error",
            id="broken",
        ),
    ],
)
def test_s769_what_may_be_tried_again(error: ClusterError, later: bool, text: str) -> None:
    found = explained(error)
    assert (isinstance(found, NotNow), str(found), found.code) == (later, text, Exit.CLUSTER)
