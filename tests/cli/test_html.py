"""`waypost trace -o html`: one file, safe whatever a run says, and readable when it is large."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.report.html.page import page
from waypost.compiler.definition import define
from waypost.views.graph import run_graph
from waypost.views.models import TraceView
from waypost.views.related import Related
from waypost.views.run.describe import run_view

from tests.cli.conftest import Api
from tests.cli.hostile import HOSTILE
from tests.cli.test_preview import failed, serve
from tests.support.builders import NOW, gate, python
from tests.unit.views.objects import at, body

TAGS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "header",
        "footer",
        "section",
        "h1",
        "h2",
        "h4",
        "p",
        "a",
        "code",
        "small",
        "span",
        "i",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "div",
        "details",
        "summary",
        "svg",
        "g",
        "rect",
        "text",
        "path",
        "line",
    ]
)
VOID = frozenset({"meta"})
ATTRIBUTES = frozenset(
    [
        "class",
        "id",
        "href",
        "scope",
        "open",
        "lang",
        "role",
        "aria-label",
        "viewbox",
        "width",
        "height",
        "x",
        "y",
        "x1",
        "y1",
        "x2",
        "y2",
        "d",
        "rx",
        "text-anchor",
        "charset",
        "http-equiv",
        "content",
        "name",
    ]
)


class Reader(HTMLParser):
    """Reads a page as a browser does, and notes what could run or load something."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.bad: list[str] = []
        self.opened: list[str] = []
        self.data = ""
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "script":
            if given != {"type": "application/json", "id": "run"}:
                self.bad.append(f"script {given}")
        elif tag not in TAGS:
            self.bad.append(tag)
        elif set(given) - ATTRIBUTES:
            self.bad.append(f"{tag} {sorted(set(given) - ATTRIBUTES)}")
        if tag == "a" and not str(given.get("href")).startswith("#n"):
            self.bad.append(f"a {given}")
        if tag not in VOID:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.opened or self.opened.pop() != tag:
            self.bad.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if self.opened and self.opened[-1] == "script":
            self.data += data
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.bad.append(f"comment {data[:20]}")


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.opened == []
    return reader


def report(run: dict[str, Any], related: Related | None = None) -> str:
    shown = run_view(run, now=NOW, related=related)
    return page(shown, run_graph(shown, define(run["spec"])), now=NOW)


def poisoned(text: str) -> str:
    """The report of a run that says `text` wherever it can say something."""
    short = text[:200]
    entry = {"start": at(2), "end": at(3)}
    entries: list[dict[str, Any]] = [
        {**entry, "type": "model", "model": text, "provider": text, "finish": text},
        {**entry, "type": "tool", "name": text, "server": text, "outcome": text, "error": text},
        {**entry, "type": "reask", "message": text},
        {**entry, "type": "wait", "reason": text},
        {**entry, "type": text, "replayed": True, "start": text},
    ]
    one = {"number": 1, "job": short[:63], "launchedAt": at(1), "startedAt": at(2)}
    one |= {"reason": short[:64], "message": short, "finishedAt": at(9), "trace": "t"}
    common = {"reason": short[:64], "message": text[:3000], "startedAt": at(1), "attempts": [one]}
    nodes = [
        {"path": "a", "phase": "Failed", "attempt": 3, **common}
        | {"disposition": "Rerun", "dispositionMessage": short},
        {"path": "ok", "phase": "Waiting", "startedAt": at(1), "approval": "q"},
        {"path": short[:120], "phase": "Waiting", **common, "attempts": None},
    ]
    run = body(python("a"), gate("ok"), status={"nodes": nodes, "waiting": short})
    run["spec"]["requestedBy"] = text
    run["spec"]["budget"] = {text: text}
    run["metadata"]["name"] = text
    run["status"]["conditions"] = [
        {"type": "Succeeded", "status": "False", "reason": "R", "message": text[:3000]}
        | {"lastTransitionTime": at(1)}
    ]
    approvers = {"users": [short], "groups": [short]}
    question = {"spec": {"message": text, "approvers": approvers, "expiresAt": text}}
    related = Related(
        approvals={"q": {**question, "status": {"state": "Open", "reason": short}}},
        traces={("a", 1): TraceView(entries=entries, note=text)},
    )
    return report(run, related)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_s395_text_stays_text(text: str) -> None:
    html = poisoned(text)
    reader = read(html)
    assert reader.bad == []
    document = json.loads(reader.data)
    assert document["name"] == text, "the data block has it unchanged"
    shown = "".join(reader.texts)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_nothing_runs_and_nothing_is_loaded() -> None:
    html = report(failed())
    assert "default-src &#x27;none&#x27;" not in html, "the policy is an attribute of our own"
    assert "default-src 'none'; style-src 'sha256-" in html
    for word in ("http://", "https://", "url(", "@import", "javascript:", "<link", "<img"):
        assert word not in html.replace("https://bank.example/x", ""), word


def test_what_it_shows() -> None:
    reader = read(report(failed()))
    shown = " ".join(" ".join(reader.texts).split())
    for words in ("brief", "Failed", "Refused: I will not", "attempt 2", "Budget tokens 5000"):
        assert words in shown
    assert reader.bad == []


def large(count: int) -> dict[str, Any]:
    nodes = [python("n0")] + [python(f"n{at_}", dependsOn=["n0"]) for at_ in range(1, count - 1)]
    nodes.append(python("last", dependsOn=[f"n{at_}" for at_ in range(1, count - 1)]))
    statuses = [
        {"path": node["name"], "phase": "Succeeded", "startedAt": at(1), "finishedAt": at(5)}
        for node in nodes
    ]
    return body(*nodes, status={"nodes": statuses, "startedAt": at(0), "finishedAt": at(9)})


def test_two_hundred_nodes() -> None:
    html = report(large(200))
    reader = read(html)
    assert reader.bad == []
    assert html.count('class="node Succeeded"') == 200
    assert html.count('href="#n') == 200
    assert len(html) < 1_000_000
    places = [part.split('"', 4) for part in html.split("<rect ")[1:]]
    boxes = [(part[1], part[3]) for part in places[:200]]
    assert len(set(boxes)) == 200, "no box lies on another one"


def test_a_run_that_has_not_begun() -> None:
    reader = read(report(body(python("a"), status={"phase": "Pending"})))
    assert reader.bad == []
    assert "No node has begun." in reader.texts


def test_the_command(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    serve(api, failed())
    assert main(["trace", "brief", "-o", "html"]) == 0
    html = capsys.readouterr().out
    assert html.startswith("<!doctype html>")
    assert read(html).bad == []
