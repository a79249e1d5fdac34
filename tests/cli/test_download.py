"""`waypost download`: the content of an artifact, verified."""

import base64
import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

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


REFUSED = {
    "another digest": (record(digest="sha256:1"), "is damaged: expected sha256:1"),
    "more than announced": (record(size=9), "it has more than 9 bytes"),
    "cut": (
        record(compressed=base64.b64encode(gzip.compress(TAR)[:-20]).decode()),
        "it is incomplete",
    ),
    "no gzip": (record(compressed="AAAA"), "is damaged"),
    "no base64": (record(compressed="?"), "is damaged"),
    "a result": (record(type="Result"), "holds no artifact; found Result"),
    "object store": (record(compressed=None, object="a/b/c"), "below the key a/b/c"),
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
