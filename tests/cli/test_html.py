"""`waypost trace -o html`: the page of reports with the document of the run, safe whatever it says.

The page itself is tested in a browser (tests/ui/browser/test_report.py).
"""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.cli.report import page as pages
from waypost.cli.report.page import page
from waypost.compiler.definition import define
from waypost.views.graph import run_graph
from waypost.views.models import TraceView
from waypost.views.related import Related
from waypost.views.run.describe import run_view
from waypost.views.run.report import run_report

from tests.cli.conftest import Api
from tests.cli.hostile import HOSTILE
from tests.cli.test_preview import failed, serve
from tests.support.builders import NOW, gate, python
from tests.unit.views.objects import at, body

Captured = pytest.CaptureFixture[str]
PAGE = """<!doctype html>
<html><head><title>Run</title></head><body><div id="root"></div>
<script type="application/json" id="report"></script><script type="module">1</script></body></html>
"""


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page, as `make ui` builds one."""
    path = tmp_path / "report.html"
    path.write_text(PAGE)
    monkeypatch.setattr(pages, "TEMPLATE", path)
    return path


class Reader(HTMLParser):
    """Reads a page as a browser does: its tags, and the document in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.data = ""
        self.inside = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {dict(attributes)}")
        self.inside = dict(attributes).get("id") == "report"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.data += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"comment {data[:20]}")


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


def report(run: dict[str, Any], related: Related | None = None) -> str:
    shown = run_view(run, now=NOW, related=related)
    graph = run_graph(shown, define(run["spec"]))
    return page(run_report(run, shown, graph, values=None, now=NOW))


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
    assert reader.tags == read(PAGE).tags, "no text has added a tag"
    document = json.loads(reader.data)
    assert document["run"]["name"] == text, "the data block has it unchanged"
    before, after = PAGE.split("</script>", 1)
    assert html.startswith(before)
    assert html.endswith(after)


def test_the_command(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["trace", "brief", "-o", "html"]) == 0
    html = capsys.readouterr().out
    document = json.loads(read(html).data)
    assert document["run"]["phase"] == "Failed"
    assert [node["path"] for node in document["graph"]["nodes"]] == ["fetch", "draft", "pay", "log"]
    assert document["readAt"]
    assert document["version"]


def test_s631_values_only_if_asked_for(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["trace", "brief", "-o", "html"]) == 0
    shown = capsys.readouterr().out
    document = json.loads(read(shown).data)
    assert (document["withValues"], document["values"]) == (False, {})
    assert "News" not in shown
    assert main(["trace", "brief", "-o", "html", "--values"]) == 0
    document = json.loads(read(capsys.readouterr().out).data)
    assert document["withValues"]
    assert document["values"]["fetch"]["output"] == {"title": "News"}
    assert document["values"]["draft"]["inputs"] == {"news": {"title": "News"}}
    assert document["values"]["draft"]["tail"] == "thinking\n    refused"


def test_values_without_html(api: Api, capsys: Captured) -> None:
    serve(api, failed())
    assert main(["trace", "brief", "--values"]) == Exit.USAGE
    assert "--values is only used with -o html" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "<html>another page</html>"], ids=["missing", "old"])
def test_pages_that_are_not_built(
    api: Api, capsys: Captured, built: Path, content: str | None
) -> None:
    serve(api, failed())
    built.unlink() if content is None else built.write_text(content)
    assert main(["trace", "brief", "-o", "html"]) == Exit.FAILED
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "run `make ui`" in shown.err
