"""`waypost download`: the content of an artifact, verified."""

import base64
import gzip
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.gateway import objects
from waypost.gateway.payload_store import ObjectError

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE

Captured = pytest.CaptureFixture[str]
PATH = f"{GROUP}/namespaces/{NAMESPACE}/noderecords/made"
TAR = b"a tar" * 300_000


def record(**spec: Any) -> dict[str, Any]:
    content = base64.b64encode(gzip.compress(TAR)).decode()
    given = {
        "type": "Artifact",
        "artifact": {"name": "pdf", "files": 1},
        "digest": f"sha256:{hashlib.sha256(TAR).hexdigest()}",
        "size": len(TAR),
        "compressed": content,
        **spec,
    }
    return {"metadata": {"name": "made"}, "spec": {k: v for k, v in given.items() if v is not None}}


def test_s499_the_content_is_compared_with_its_digest(
    api: Api, tmp_path: Path, capsys: Captured
) -> None:
    api.put(PATH, record())
    target = tmp_path / "pdf.tar.gz"
    assert main(["download", "made", "--to", str(target)]) == Exit.OK
    assert gzip.decompress(target.read_bytes()) == TAR
    assert "verified: sha256:" in capsys.readouterr().out
    assert main(["download", "made", "--to", str(target)]) == Exit.FAILED, "no file is replaced"
    assert "cannot be written" in capsys.readouterr().err


KEY = f"{NAMESPACE}/notes/u/a/1-1-artifact-pdf"
IN_STORE: dict[str, Any] = {"compressed": None, "run": "notes", "runUid": "u", "object": KEY}
IN_STORE["artifact"] = {"name": "pdf", "files": 1, "parts": 3}
REFUSED = {
    "another digest": (record(digest="sha256:1"), "is damaged in NodeRecord made: expected sha"),
    "more than announced": (record(size=9), "it has more than 9 bytes"),
    "cut": (
        record(compressed=base64.b64encode(gzip.compress(TAR)[:-20]).decode()),
        "it is incomplete",
    ),
    "no gzip": (record(compressed="AAAA"), "is damaged"),
    "no base64": (record(compressed="?"), "is damaged"),
    "a result": (record(type="Result"), "holds no artifact; found Result"),
    "object store": (record(**IN_STORE), f"below the key {KEY}; set --bucket"),
    "of another run": (record(**IN_STORE | {"object": "a/b/c"}), "is not one of run notes"),
    "no parts": (record(**IN_STORE | {"artifact": {"name": "pdf"}}), "no number of parts"),
}


@pytest.mark.parametrize(("body", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_written(
    body: dict[str, Any], text: str, api: Api, tmp_path: Path, capsys: Captured
) -> None:
    api.put(PATH, body)
    target = tmp_path / "pdf.tar.gz"
    assert main(["download", "made", "--to", str(target)]) == Exit.FAILED
    assert text in capsys.readouterr().err
    assert not target.exists()


def test_a_record_that_does_not_exist(api: Api, capsys: Captured) -> None:
    assert main(["download", "none"]) == Exit.NOT_FOUND
    assert "NodeRecord none cannot be read" in capsys.readouterr().err


STORED = gzip.compress(TAR)
PARTS = {f"{KEY}/{number:06}": STORED[number * 400 : number * 400 + 400] for number in range(3)}
PARTS[f"{KEY}/000002"] = STORED[800:]
AT = ["--bucket", "b", "--prefix", "/p/", "--endpoint", "http://store.example/"]


class Store:
    """An object store in memory, which keeps how it was opened."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.opened: list[objects.S3Settings] = []

    def open(self, settings: objects.S3Settings) -> "Store":
        self.opened.append(settings)
        return self

    async def read(self, key: str) -> AsyncIterator[bytes]:
        if key not in self.content:
            raise ObjectError(f"read {key}: not found")
        for at in range(0, len(self.content[key]), 100):
            yield self.content[key][at : at + 100]


@pytest.fixture
def stored(api: Api, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], Store]:
    api.put(PATH, record(**IN_STORE))

    def use(content: dict[str, bytes]) -> Store:
        made = Store(content)
        monkeypatch.setattr(objects, "s3", made.open)
        return made

    return use


Use = Callable[[dict[str, bytes]], Store]


def test_s621_parts_of_the_object_store_are_put_together(
    stored: Use, tmp_path: Path, capsys: Captured
) -> None:
    store, target = stored(PARTS), tmp_path / "pdf.tar.gz"
    assert main(["download", "made", "--to", str(target), *AT]) == Exit.OK
    assert gzip.decompress(target.read_bytes()) == TAR
    assert f"{len(STORED)} bytes, verified: sha256:" in capsys.readouterr().out
    assert store.opened == [objects.S3Settings("b", "p", "http://store.example")]


def test_s621_the_store_is_that_of_the_environment(
    stored: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stored(PARTS)
    named = {"BUCKET": "b", "PREFIX": "p", "REGION": "here", "PATH_STYLE": "false"}
    for name, value in named.items():
        monkeypatch.setenv(f"WAYPOST_S3_{name}", value)
    assert main(["download", "made", "--to", str(tmp_path / "x")]) == Exit.OK
    assert store.opened == [objects.S3Settings("b", "p", "", "here", path_style=False)]


OTHERS = {
    "a part is missing": (
        {key: part for key, part in PARTS.items() if not key.endswith("1")},
        "cannot be read from bucket b at http://store.example",
    ),
    "a part is cut": (PARTS | {f"{KEY}/000002": STORED[800:-9]}, "object store: it is incomplete"),
    "parts are exchanged": (
        {**PARTS, f"{KEY}/000000": PARTS[f"{KEY}/000001"]},
        "is damaged in the object store",
    ),
    "another content": (
        dict.fromkeys(PARTS, b"") | {f"{KEY}/000000": gzip.compress(TAR[1:])},
        "is damaged in the object store: expected sha256:",
    ),
    "something after it": (
        PARTS | {f"{KEY}/000002": STORED[800:] + b"x" * 200},
        "something follows the end of the gzip",
    ),
}


@pytest.mark.parametrize(("content", "text"), OTHERS.values(), ids=OTHERS)
def test_s621_what_is_not_verified_leaves_no_file(
    content: dict[str, bytes], text: str, stored: Use, tmp_path: Path, capsys: Captured
) -> None:
    stored(content)
    target = tmp_path / "pdf.tar.gz"
    assert main(["download", "made", "--to", str(target), *AT]) == Exit.FAILED
    assert text in capsys.readouterr().err
    assert not target.exists()


def test_s621_a_missing_key_is_named(
    stored: Use, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    stored({})
    assert main(["download", "made", "--to", str(tmp_path / "x"), *AT]) == Exit.FAILED
    assert "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set" in capsys.readouterr().err
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    assert main(["download", "made", "--to", str(tmp_path / "x"), *AT]) == Exit.FAILED
    assert "are not set" not in capsys.readouterr().err


def test_an_endpoint_is_a_url(api: Api, capsys: Captured) -> None:
    assert main(["download", "made", "--endpoint", "store:9000"]) == Exit.USAGE
    assert "--endpoint must start with http:// or https://" in capsys.readouterr().err
