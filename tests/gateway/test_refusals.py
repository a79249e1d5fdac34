"""What is refused: uploads of somebody else, of another time, of another payload, of any size.

Each is reported with its reason, counted, and leaves nothing behind.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from waypost.gateway import upload_limiter
from waypost.ports.cluster import Kind
from waypost.protocol import uploads

from tests.gateway.place import RUN, TOKEN, Place, make_pod, noise, place, reviewed, token_of

POD = "brief-draft-2-x"
OTHER = token_of("oth")
Prepare = Callable[[Place], None]


def _nothing(p: Place) -> None: ...


def _review(**changes: Any) -> Prepare:
    def prepare(p: Place) -> None:
        p.cluster.tokens[TOKEN] = {**p.cluster.tokens[TOKEN], **changes}

    return prepare


def _user(**changes: Any) -> Prepare:
    def prepare(p: Place) -> None:
        known = p.cluster.tokens[TOKEN]
        p.cluster.tokens[TOKEN] = {**known, "user": {**known["user"], **changes}}

    return prepare


def _pod(**paths: Any) -> Prepare:
    return lambda p: p.update(Kind.POD, POD, **paths)


def _status(**paths: Any) -> Prepare:
    changed = {f"status__{path}": value for path, value in paths.items()}
    return lambda p: p.update(Kind.AGENT_WORKFLOW, RUN, **changed)


def _node(**fields: Any) -> Prepare:
    def change(p: Place) -> None:
        nodes = [{**node, **fields} for node in _run(p)["status"]["nodes"]]
        p.update(Kind.AGENT_WORKFLOW, RUN, status__nodes=nodes)

    return change


def _replaced_pod(p: Place) -> None:
    server = p.cluster.inner.server
    server.storage.remove(Kind.POD, server.get(Kind.POD, namespace="default", name=POD))
    make_pod(p.cluster.inner, POD, run_uid=_run(p)["metadata"]["uid"])


def _no_pod(p: Place) -> None:
    server = p.cluster.inner.server
    server.storage.remove(Kind.POD, server.get(Kind.POD, namespace="default", name=POD))


def _run(p: Place) -> Any:
    return p.cluster.inner.server.get(Kind.AGENT_WORKFLOW, namespace="default", name=RUN)


def _no_run(p: Place) -> None:
    p.cluster.inner.server.storage.remove(Kind.AGENT_WORKFLOW, _run(p))


def _raw_pod(**metadata: Any) -> Prepare:
    """A pod that a user made to look like the attempt's."""

    def prepare(p: Place) -> None:
        uid = _run(p)["metadata"]["uid"]
        p.cluster.tokens[TOKEN] = reviewed(
            make_pod(p.cluster.inner, "raw", run_uid=uid, **metadata)
        )

    return prepare


def row(id: str, prepare: Prepare, status: int, reason: str, **sent: Any) -> Any:
    return pytest.param(prepare, sent, status, reason, id=id)


NONE = f"sha256:{'0' * 64}"
LABEL = "metadata__labels__waypost.dev/"
ENDED = {"containerStatuses": [{"name": "node", "state": {"terminated": {"exitCode": 0}}}]}
AGAIN = {"containerStatuses": [{"name": "node", "restartCount": 1, "state": {"running": {}}}]}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "mine", "uid": "u", "controller": True}
ACCOUNT = "system:serviceaccount:"

FORGED = [
    row("no-token", _nothing, 401, "TokenMissing", token=None),
    row("not-a-token", _nothing, 401, "TokenRefused", token="not a token"),
    row("huge-token", _nothing, 401, "TokenRefused", token="a" * 20_000),
    row("unknown-token", _nothing, 401, "TokenRefused", token=token_of("xyz")),
    row("expired-token", _review(authenticated=False, error="expired"), 401, "TokenRefused"),
    row("token-for-the-api-server", _review(audiences=["kubernetes"]), 401, "TokenRefused"),
    row("token-for-no-audience", _review(audiences=None), 401, "TokenRefused"),
    row("token-of-a-person", _user(username="ann"), 403, "NotAPod"),
    row("token-of-no-pod", _user(extra={}), 403, "NotAPod"),
    row("account-like-name", _user(username=f"{ACCOUNT}../x:y"), 403, "NotAPod"),
    row("pod-of-another-namespace", _user(username=f"{ACCOUNT}other:default"), 403, "PodGone"),
    row("pod-is-gone", _no_pod, 403, "PodGone"),
    row("pod-was-replaced", _replaced_pod, 403, "PodGone"),
    row("container-has-ended", _pod(status=ENDED), 403, "PodEnded"),
    row("started-again", _pod(status=AGAIN), 403, "PodEnded"),
    row("pod-has-failed", _pod(status={"phase": "Failed"}), 403, "PodEnded"),
    row("pod-without-labels", _raw_pod(labels={}), 403, "NotANode"),
    row("pod-without-run", _raw_pod(annotations={}), 403, "NotANode"),
    row("raw-pod-with-our-labels", _raw_pod(ownerReferences=[]), 403, "NotANode"),
    row("pod-of-another-job", _raw_pod(ownerReferences=[JOB]), 403, "NotANode"),
    row("pod-adopted-by-the-job", _raw_pod(), 403, "NotANode"),
    row("run-is-gone", _no_run, 403, "RunGone"),
    row("run-was-replaced", _pod(**{f"{LABEL}run": "uid-of-another"}), 403, "RunGone"),
    row("attempt-before", _pod(**{f"{LABEL}attempt": "1"}), 403, "AttemptNotCurrent"),
    row("attempt-to-come", _pod(**{f"{LABEL}attempt": "3"}), 403, "AttemptNotCurrent"),
    row("round-to-come", _pod(**{f"{LABEL}round": "2"}), 403, "AttemptNotCurrent"),
    row("superseded-by-a-round", _node(phase="Superseding"), 403, "AttemptNotCurrent"),
    row(
        "other-node",
        _pod(**{"metadata__annotations__waypost.dev/path": "other"}),
        403,
        "AttemptNotCurrent",
    ),
    row(
        "attempt-has-ended",
        _status(nodes__0__attempts__1__finishedAt="2026-03-01T09:00:00Z"),
        403,
        "AttemptNotCurrent",
    ),
    row("node-has-ended", _status(nodes__0__phase="Failed"), 403, "AttemptNotCurrent"),
    row("wrong-digest", _nothing, 422, "DigestMismatch", digest=NONE),
    row("no-digest", _nothing, 400, "BadRequest", digest=""),
    row("odd-digest", _nothing, 400, "BadRequest", digest="md5:00"),
    row("not-json", _nothing, 422, "NotIJson", body=b"{", digest=NONE),
    row("key-twice", _nothing, 422, "NotIJson", body=b'{"a":1,"a":2}', digest=NONE),
    row("not-utf-8", _nothing, 422, "NotIJson", body=b'"\xff"', digest=NONE),
    row("unsafe-integer", _nothing, 422, "NotIJson", body=b"[9007199254740993]", digest=NONE),
]


@pytest.mark.parametrize(("prepare", "sent", "status", "reason"), FORGED)
async def test_forged_upload(
    prepare: Prepare, sent: dict[str, Any], status: int, reason: str
) -> None:
    async with place() as p:
        prepare(p)
        refused = await p.put(sent.pop("body", b'{"a":1}'), **sent)
        problem = refused.json()
        assert (refused.status_code, problem["reason"]) == (status, reason)
        assert set(problem) == {"reason", "message"}
        assert problem["message"]
        assert TOKEN not in refused.text
        assert p.records() == []
        assert p.counted(reason) == 1


@pytest.mark.parametrize(
    ("prepare", "sent", "status", "reason"), [row for row in FORGED if row.values[2] in (401, 403)]
)
async def test_who_may_not_put_may_not_get(
    prepare: Prepare, sent: dict[str, Any], status: int, reason: str
) -> None:
    async with place() as p:
        prepare(p)
        token = sent.get("token", TOKEN)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        refused = await p.client.get("/v1/payloads/result", headers=headers)
        assert (refused.status_code, refused.json()["reason"]) == (status, reason)


async def test_a_run_that_is_being_deleted_takes_nothing() -> None:
    async with place() as p:
        p.update(Kind.AGENT_WORKFLOW, RUN, metadata__finalizers=["somebody/else"])
        await p.as_user().delete(Kind.AGENT_WORKFLOW, namespace="default", name=RUN)
        refused = await p.put(b"1")
        assert (refused.status_code, refused.json()["reason"]) == (403, "RunGone")


async def test_a_second_payload_does_not_replace_the_first() -> None:
    async with place() as p:
        assert (await p.put(b'{"a":1}')).status_code == 201
        refused = await p.put(b'{"a":2}')
        assert (refused.status_code, refused.json()["reason"]) == (409, "AlreadyStored")
        assert (await p.get("result")).content == b'{"a":1}'


class Stream:
    """A body that is made while it is sent, and counts what was taken of it."""

    def __init__(self, size: int, *, pause: float = 0.0) -> None:
        self.size = size
        self.sent = 0
        self._pause = pause

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent < self.size:
            self.sent += 65536
            await asyncio.sleep(self._pause)
            yield b"1" * 65536


@pytest.mark.parametrize(
    "announced", [pytest.param(True, id="announced"), pytest.param(False, id="chunked")]
)
async def test_a_gigabyte_is_refused_before_it_is_taken(
    announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_limiter, "_DRAIN_SECONDS", 0.05)
    async with place() as p:
        body = Stream(1_000_000_000)
        length = {"content-length": "1000000000"} if announced else {}
        refused = await p.put(body.__aiter__(), digest=NONE, **length)
        assert (refused.status_code, refused.json()["reason"]) == (413, "TooLarge")
        assert "8388608" in refused.json()["message"]
        assert "gateway.objectStore" in refused.json()["message"]
        assert refused.headers["connection"] == "close"
        assert p.records() == []


async def test_what_does_not_compress_is_refused_without_an_object_store() -> None:
    async with place() as p:
        refused = await p.put(noise(3_000_000))
        assert (refused.status_code, refused.json()["reason"]) == (413, "TooLarge")
        assert "gateway.objectStore" in refused.json()["message"]


async def test_more_values_than_memory_is_for() -> None:
    async with place() as p:
        body = b"[" + b"0," * uploads.MOST_VALUES + b"0]"
        refused = await p.put(body, digest=NONE)
        assert (refused.status_code, refused.json()["reason"]) == (413, "TooLarge")


async def test_a_body_by_the_letter_is_cut_off() -> None:
    async with place(seconds=0.1) as p:
        slow = Stream(10_000_000, pause=0.03)
        refused = await p.put(slow.__aiter__(), digest=NONE)
        assert (refused.status_code, refused.json()["reason"]) == (408, "TooSlow")


async def test_a_full_gateway_says_so_and_takes_the_next() -> None:
    async with place(room=100_000) as p:
        refused = await p.put(b'"' + b"a" * 200_000 + b'"', digest=NONE)
        assert (refused.status_code, refused.json()["reason"]) == (503, "Busy")
        assert (await p.put(b"1")).status_code == 201


async def test_a_pod_has_two_uploads_at_a_time() -> None:
    async with place() as p:

        async def slowly(number: int) -> httpx2.Response:
            async def body() -> AsyncIterator[bytes]:
                yield b"1"
                await asyncio.sleep(0.2)

            return await p.put(body(), digest=f"sha256:{number:064d}")

        done = await asyncio.gather(*[slowly(n) for n in range(3)])
        assert sorted(r.status_code for r in done) == [422, 422, 503]
        assert p.counted("Busy") == 1


async def test_metrics_hold_no_names() -> None:
    async with place() as p:
        await p.put(b"1")
        await p.client.put("/v1/payloads/brief-of-ann", content=b"1")
        text = p.gateway.metrics.exposition()[0].decode()
        assert "brief" not in text
        assert 'type="other"' in text
