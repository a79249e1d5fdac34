"""What our images contain of others: from the lock files, with licences that are on the list (S704,
S705), and known vulnerabilities (S706)."""

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import distribution
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.supply import audit, licences, locked, sbom
from scripts.supply.locked import Package

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = locked.images()
EACH: Final = pytest.mark.parametrize("image", IMAGES)
PINNED: Final = re.compile(r"^ARG BASE_IMAGE=python:[\d.]+-slim@sha256:[0-9a-f]{64}$", re.MULTILINE)


def names(image: str) -> set[str]:
    return {one.name for one in locked.packages(image)}


def test_there_are_three() -> None:
    assert IMAGES == ["agent", "operator", "runner"]


@EACH
def test_s704_base_images_are_pinned(image: str) -> None:
    """Of one digest: they are downloaded once, and updated together."""
    text = (ROOT / "node-images" / image / "Dockerfile").read_text(encoding="utf-8")
    first = (ROOT / "node-images/operator/Dockerfile").read_text(encoding="utf-8")
    assert PINNED.findall(text) == PINNED.findall(first) != []
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    ours = {"${BASE_IMAGE}", "${RUNNER_IMAGE}"}
    named = set(re.findall(r" AS (\w+)$", text, re.MULTILINE))
    assert set(stages) <= ours | named, "no stage stands on an image that is not pinned"


def test_s704_the_base_of_images_for_tests_is_pinned_too() -> None:
    first = (ROOT / "node-images/operator/Dockerfile").read_text(encoding="utf-8")
    files = sorted((ROOT / "e2e/suite/images").rglob("Dockerfile"))
    assert files != []
    for file in files:
        assert PINNED.findall(file.read_text(encoding="utf-8")) == PINNED.findall(first), file


def test_s705_what_is_in_an_image() -> None:
    assert {"jsonschema-rs", "httpx2"} <= names("runner")
    assert names("runner") < names("agent")
    assert {"pydantic-ai-slim", "openai", "anthropic"} <= names("agent") - names("operator")
    assert {"kopf", "sqlalchemy", "react"} <= names("operator")
    assert not {"pytest", "colorama", "vite", "mkdocs"} & (names("agent") | names("operator"))


@EACH
def test_s705_a_bill_of_materials_is_valid_and_complete(image: str) -> None:
    text = sbom.bill(image, "1.2.3")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    subject = document["metadata"]["component"]
    assert (subject["name"], subject["version"]) == (f"waypost-{image}", "1.2.3")
    assert "@sha256:" in subject["properties"][0]["value"]
    assert {one["name"] for one in document["components"]} == names(image)
    assert all(one["licenses"] and one["purl"] for one in document["components"])
    assert text == sbom.bill(image, "1.2.3") != sbom.bill(image, "1.2.4")


def test_s705_a_scoped_package_has_a_namespace() -> None:
    found = [one["purl"] for one in json.loads(sbom.bill("operator", "1"))["components"]]
    assert any(purl.startswith("pkg:npm/%40xyflow/react@") for purl in found)


# --- licences ------------------------------------------------------------------------------------


def test_s704_every_licence_is_on_the_list() -> None:
    found = {one: licences.problem(one, licences.licence_of(one)) for one in locked.every_package()}
    assert {one.name: text for one, text in found.items() if text} == {}


@pytest.mark.parametrize(
    ("name", "licence", "says"),
    [
        pytest.param("a", "MIT", "", id="allowed"),
        pytest.param("a", "Apache-2.0 AND BSD-2-Clause", "", id="both-allowed"),
        pytest.param("a", "GPL-3.0-only OR MIT", "", id="one-to-choose"),
        pytest.param("a", "GPL-3.0-only", "not allowed", id="copyleft"),
        pytest.param("a", "MIT AND GPL-3.0-only", "not allowed", id="both-bind"),
        pytest.param("a", "LGPL-3.0-only", "not allowed", id="an-exception-of-another"),
        pytest.param("psycopg", "LGPL-3.0-only", "", id="an-exception"),
        pytest.param("a", "", "no licence", id="none"),
        pytest.param("a", "Proprietary, see LICENSE", "no SPDX expression", id="a-sentence"),
        pytest.param("a", "Apache-2.0 WITH LLVM-exception", "not allowed", id="with-an-exception"),
    ],
)
def test_s704_licences(name: str, licence: str, says: str) -> None:
    found = licences.problem(Package("pypi", name, "1"), licence)
    assert says in found
    assert bool(found) is bool(says)


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        pytest.param("kopf", "MIT", id="an-expression"),
        pytest.param("protobuf", "BSD-3-Clause", id="words"),
        pytest.param("tiktoken", "MIT", id="the-whole-text"),
        pytest.param("obstore", "MIT", id="a-classifier"),
    ],
)
def test_s704_what_packages_say_of_their_licence(name: str, licence: str) -> None:
    assert licences.declared(distribution(name)) == licence


# --- vulnerabilities -----------------------------------------------------------------------------

Answer = Callable[[dict[str, Any]], Any]


@pytest.fixture
def osv(request: pytest.FixtureRequest) -> Any:
    """A server that answers like OSV, as the parameter says; gives its address and its requests."""
    answer: Answer = request.param
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = answer(asked[-1])
            self.send_response(500 if body is None else 200)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    thread.join()
    server.server_close()


def none(body: dict[str, Any]) -> Any:
    return {"results": [{} for _ in body["queries"]]}


def kopf(body: dict[str, Any]) -> Any:
    """Two pages for one package, nothing for the others."""
    pages = {
        None: {"vulns": [{"id": "X-1"}], "next_page_token": "2"},
        "2": {"vulns": [{"id": "X-2"}]},
    }
    return {
        "results": [
            pages[query.get("page_token")] if query["package"]["name"] == "kopf" else {}
            for query in body["queries"]
        ]
    }


@pytest.mark.parametrize("osv", [none], indirect=True, ids=["none"])
def test_s706_everything_is_asked_for(osv: Any, capsys: pytest.CaptureFixture[str]) -> None:
    url, asked = osv
    assert audit.main(["--url", url]) == audit.NONE
    [body] = asked
    found = {(q["package"]["ecosystem"], q["package"]["name"]) for q in body["queries"]}
    assert {("PyPI", "kopf"), ("npm", "react"), ("PyPI", "openai")} <= found
    assert len(found) == len(locked.every_package())
    assert ", 0 vulnerable" in capsys.readouterr().out


@pytest.mark.parametrize("osv", [kopf], indirect=True, ids=["kopf"])
def test_s706_what_is_known_is_named(
    osv: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = osv
    assert audit.main(["--url", url]) == audit.FOUND
    assert "(pypi): X-1, X-2\n" in capsys.readouterr().out
    monkeypatch.setattr(audit, "ACCEPTED", {"X-1": "not used, 2026-11", "X-2": "same"})
    assert audit.main(["--url", url]) == audit.NONE
    assert "0 vulnerable, 2 accepted" in capsys.readouterr().out


@pytest.mark.parametrize(
    "osv",
    [lambda body: None, lambda body: b"<html>", lambda body: {"results": []}, lambda body: []],
    indirect=True,
    ids=["an-error", "no-json", "too-few", "another-form"],
)
def test_s706_no_answer_is_no_pass(osv: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--url", osv[0]]) == audit.UNKNOWN
    assert "error: nothing was audited" in capsys.readouterr().err


def test_s706_without_a_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--url", "http://127.0.0.1:1/"]) == audit.UNKNOWN
    assert "127.0.0.1:1/" in capsys.readouterr().err
