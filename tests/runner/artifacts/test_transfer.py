"""Folders to and from a gateway: the real one on a socket, and one that fails as scripted."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore
from waypost.gateway.app import build_app
from waypost.gateway.objects import Bucket
from waypost.protocol.artifacts.request import Artifacts, Content, Given, Taken
from waypost.protocol.record import CommitRecord
from waypost.protocol.request import Request
from waypost_node.artifacts import fetch
from waypost_node.artifacts.entries import Unfit
from waypost_node.artifacts.store import keep_artifacts
from waypost_node.artifacts.transfer import Transfers
from waypost_node.gateway import DIGEST_HEADER, GatewayError, TooLarge
from waypost_node.result_store import Unkept

from tests.dev.serving import listening
from tests.gateway.place import TOKEN, place
from tests.gateway.test_artifacts import pin
from tests.runner.artifacts.tars import compressed, content_of, tar_of
from tests.runner.bench import WHOSE, request_of
from tests.runner.servers import Reply, serving

REPO = Given("repo", "artifact-0", "/data/repo", 50_000_000)


@pytest.fixture(autouse=True)
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text(TOKEN)
    monkeypatch.setenv("WAYPOST_TOKEN", str(tmp_path / "token"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a").write_text("content")
    (folder / "link").symlink_to("a")
    return folder


def transfers(url: str, *, seconds: float = 60.0) -> Transfers:
    return Transfers(url, deadline=time.monotonic() + seconds)


@pytest.mark.parametrize("store", ["records", "objects"])
async def test_s290_a_folder_goes_through_the_gateway(
    store: str, tmp_path: Path, source: Path
) -> None:
    if store == "objects":
        (source / "noise").write_bytes(bytes(range(256)) * 400 + b"x" * 100_000)
    objects = Bucket(MemoryStore()) if store == "objects" else None
    async with place(objects=objects) as here:
        pin(here)
        async with listening(build_app(here.gateway)) as url:
            client = transfers(url)
            content = await asyncio.to_thread(client.store, REPO, str(source))
            assert await asyncio.to_thread(client.store, REPO, str(source)) == content, "a retry"
            pin(here, (here.records()[0]["metadata"]["name"], content.digest))
            target, taken = tmp_path / "target", Taken("artifact-0", "", content)
            await asyncio.to_thread(client.take, 0, taken, str(target))
        assert (target / "a").read_text() == "content"
        assert str((target / "link").readlink()) == "a"


ALLOWED = Reply(204, b"")
STORED = Reply(201, b"")


def refused(status: int, reason: str) -> Reply:
    return Reply(status, json.dumps({"reason": reason, "message": "why"}).encode())


RETRIED: dict[str, Callable[[], list[Reply]]] = {
    "busy": lambda: [refused(503, "Busy"), ALLOWED, STORED],
    "connection lost while asking": lambda: [Reply(drop=True), ALLOWED, STORED],
    "connection lost while sending": lambda: [ALLOWED, Reply(drop=True), ALLOWED, STORED],
    "store failed": lambda: [ALLOWED, refused(503, "StoreUnavailable"), ALLOWED, STORED],
    "token expired": lambda: [refused(401, "TokenRefused"), ALLOWED, STORED],
    "stored by the try that was cut off": lambda: [ALLOWED, Reply(drop=True), Reply(200, b"")],
}


@pytest.mark.parametrize("replies", RETRIED.values(), ids=RETRIED)
def test_s291_an_upload_is_repeated_until_it_is_stored(
    source: Path, replies: Callable[[], list[Reply]]
) -> None:
    script = replies()
    # A streamed body has no length, which the scripted server does not read: room makes it one.
    script = [
        Reply(one.status, one.body, (("Waypost-Room", "1000000"),)) if one.status == 204 else one
        for one in script
    ]
    with serving(*script) as server:
        content = transfers(server.url).store(REPO, str(source))
        assert len(server.asked) == len(script)
        assert {one.headers["waypost-digest"] for one in server.asked} == {content.digest}


def test_a_refusal_is_final(source: Path) -> None:
    with serving(refused(403, "AttemptNotCurrent")) as server:
        with pytest.raises(GatewayError, match="403: why"):
            transfers(server.url).store(REPO, str(source))
        assert len(server.asked) == 1


def test_what_no_record_takes_is_not_sent(source: Path) -> None:
    allowed = Reply(204, b"", (("Waypost-Room", "10"),))
    with serving(allowed) as server:
        with pytest.raises(TooLarge, match=r"more than 10 bytes.*gateway\.objectStore"):
            transfers(server.url).store(REPO, str(source))
        assert [one.method for one in server.asked] == ["POST"]


def _answer(tar: bytes, digest: str) -> Reply:
    body = compressed(tar)
    return Reply(200, body, ((DIGEST_HEADER, digest), ("Content-Length", str(len(body)))))


def test_s298_an_interrupted_read_begins_with_an_empty_folder(tmp_path: Path) -> None:
    tar = tar_of()
    content = content_of(tar, files=0)
    (tmp_path / "t" / "old").mkdir(parents=True)
    (tmp_path / "t" / "old" / "x").write_text("of the try before")
    with serving(refused(503, "Busy"), _answer(tar, content.digest)) as server:
        transfers(server.url).take(0, Taken("v", "", content), str(tmp_path / "t"))
    assert list((tmp_path / "t").iterdir()) == []


def test_s298_another_digest_than_pinned_is_not_unpacked(tmp_path: Path) -> None:
    tar = tar_of()
    content = content_of(tar, files=0)
    other = _answer(tar, f"sha256:{'0' * 64}")
    with serving(other) as server, pytest.raises(GatewayError, match="the gateway has"):
        transfers(server.url).take(0, Taken("v", "", content), str(tmp_path / "t"))
    lies = content._replace(digest=f"sha256:{'0' * 64}")
    with serving(_answer(tar, lies.digest)) as server, pytest.raises(Unfit, match="digest"):
        transfers(server.url).take(0, Taken("v", "", lies), str(tmp_path / "t"))


def asking(given: tuple[Given, ...] = (), taken: tuple[Taken, ...] = (), **fields: Any) -> Request:
    return request_of(**fields)._replace(artifacts=Artifacts(taken, given))


def test_a_record_names_what_was_stored(source: Path) -> None:
    given = REPO._replace(path=str(source))
    with serving(Reply(200, b"")) as server:
        request = asking((given,), gateway=server.url)
        record = keep_artifacts(
            CommitRecord(WHOSE, "Succeeded"), request, deadline=time.monotonic() + 60
        )
    assert record.artifacts is not None
    assert record.artifacts["repo"].files == 2


UNKEPT = {
    "a pipe": (refused(403, "x"), "fifo", 5000, "ArtifactInvalid"),
    "too large": (refused(403, "x"), "", 1024, "ArtifactTooLarge"),
    "no room": (refused(413, "TooLarge"), "", 5000, "ArtifactTooLarge"),
    "refused": (refused(403, "AttemptNotCurrent"), "", 5000, "ResultLost"),
    "no folder": (refused(403, "x"), "gone", 5000, "ArtifactInvalid"),
}


@pytest.mark.parametrize(("reply", "change", "most", "reason"), UNKEPT.values(), ids=UNKEPT)
def test_s297_what_cannot_be_stored_says_why(
    source: Path, reply: Reply, change: str, most: int, reason: str
) -> None:
    import os

    if change == "fifo":
        os.mkfifo(source / "pipe")
    given = REPO._replace(path=str(source / "absent" if change == "gone" else source))
    with serving(reply) as server, pytest.raises(Unkept) as raised:
        keep_artifacts(
            CommitRecord(WHOSE, "Succeeded"),
            asking((given._replace(max_bytes=most),), gateway=server.url),
            deadline=time.monotonic() + 60,
        )
    assert raised.value.reason == reason
    assert "artifact repo" in str(raised.value)


@pytest.mark.parametrize("good", [True, False], ids=["pinned", "damaged"])
def test_s298_the_init_container_unpacks_or_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    tar = tar_of()
    content = content_of(tar, files=0)
    pinned = content if good else Content(f"sha256:{'0' * 64}", 1024, 0)
    with serving(_answer(tar, pinned.digest)) as server:
        request = asking(taken=(Taken("artifact-0", "1", pinned),), gateway=server.url)
        (tmp_path / "request.json").write_text(json.dumps(request.to_json()))
        monkeypatch.setenv("WAYPOST_REQUEST", str(tmp_path / "request.json"))
        monkeypatch.setenv("WAYPOST_ARTIFACTS", str(tmp_path / "mount"))
        monkeypatch.setenv("WAYPOST_MESSAGE", str(tmp_path / "message"))
        assert fetch.main() == (0 if good else 1)
    if good:
        assert (tmp_path / "mount" / "artifact-0" / "1").is_dir()
    else:
        assert "expected the digest" in (tmp_path / "message").read_text()
