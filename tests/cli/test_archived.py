"""Archived runs on the command line: the same text as from the cluster, filters, rights, export."""

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn
from waypost.archive.app import Archive, build_app
from waypost.archive.core.document import document, encode
from waypost.archive.core.entry import entry
from waypost.archive.metrics import ArchiveMetrics
from waypost.cli.app import main
from waypost.cli.archive.parquet import row
from waypost.cli.errors import Exit
from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Obj
from waypost.ports.offload import inline

from tests.archive.place import Shelf, shelf
from tests.archive.samples import finished
from tests.archive.test_api import Server
from tests.cli.conftest import Api
from tests.cli.runs import APPROVAL, GROUP, NAMESPACE, at, ref, run, serve
from tests.cli.test_reading import keep

Captured = pytest.CaptureFixture[str]
KINDS = ("agentworkflows", "approvals", "noderecords")
PLACE = f"{GROUP}/namespaces/{NAMESPACE}"


class Archived:
    """An archive at an address, and the API server that it asks."""

    def __init__(self, kept: Shelf, server: Server, url: str) -> None:
        self.kept, self.server, self.url = kept, server, url

    def keep(self, run: Obj, *, records: Sequence[Obj] = (), approvals: Sequence[Obj] = ()) -> None:
        kept = document(run, approvals=approvals, records=records)
        self.kept.store.put(entry(run), encode(kept), now=0)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: Api) -> Iterator[Archived]:
    rights = {("get", kind, NAMESPACE) for kind in KINDS} | {("list", "agentworkflows", NAMESPACE)}
    kept, server = shelf(tmp_path), Server(rights)
    app = build_app(Archive(kept, server.connect, ArchiveMetrics(), inline))
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    serving = uvicorn.Server(config)
    listening = config.bind_socket()
    thread = Thread(target=serving.run, kwargs={"sockets": [listening]})
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    monkeypatch.setenv("WAYPOST_ARCHIVE_URL", url)
    yield Archived(kept, server, url)
    serving.should_exit = True
    thread.join()
    listening.close()
    kept.store._engine.dispose()


DONE: Obj = {"phase": "Succeeded", "waiting": None, "finishedAt": at(99)}


def same(capsys: Captured, *argv: str) -> str:
    """What a command prints of the run in the archive, and of the same one in the cluster."""
    assert main([*argv, "--archive", ""]) == 0
    printed = capsys.readouterr().out
    assert main([*argv, "--archived"]) == 0
    again = capsys.readouterr().out
    if "json" in argv:  # the API server sorts keys, the one of the tests does not
        assert json.loads(again) == json.loads(printed)
    else:
        assert again == printed
    return printed


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["get", "notes"], id="get"),
        pytest.param(["get", "notes", "-o", "wide"], id="get-wide"),
        pytest.param(["get", "notes", "-o", "json"], id="get-json"),
        pytest.param(["trace", "notes"], id="trace"),
        pytest.param(["trace", "notes", "-o", "json"], id="trace-json"),
        pytest.param(["trace", "notes", "-o", "mermaid"], id="trace-mermaid"),
        pytest.param(["io", "notes", "scan"], id="io"),
        pytest.param(["io", "notes", "scan", "--schemas"], id="io-schemas"),
    ],
)
def test_the_same_text_as_from_the_cluster(
    archive: Archived, api: Api, capsys: Captured, argv: list[str]
) -> None:
    """S718"""
    body = run(**DONE)
    if argv[0] == "io":
        body["spec"] = {
            "nodes": [{"name": "scan", "python": {"source": "def main():\n    return 1"}}]
        }
        body["status"]["nodes"] = [{"path": "scan", "phase": "Succeeded", "output": {"a": 1}}]
    else:
        body["status"]["nodes"][1] |= {"phase": "Succeeded", "finishedAt": at(99)}
    serve(api, body)
    keep(api, number=2)
    trace = api.answers[f"{PLACE}/noderecords/{ref(2).record_name('Trace')}"][1]
    archive.keep(body, records=[trace], approvals=[APPROVAL])
    printed = same(capsys, *argv)
    if argv[0] == "trace" and len(argv) == 2:
        assert "tool search (books)" in printed, "with the trace of the archive"


def test_a_run_that_has_left_the_cluster(archive: Archived, capsys: Captured) -> None:
    """S718"""
    archive.keep(run(**DONE))
    assert main(["get", "notes"]) == 0
    assert "Succeeded" in capsys.readouterr().out
    assert main(["get", "uid-1"]) == 0, "a uid stands for one run"
    assert main(["get", "nobody"]) == Exit.NOT_FOUND
    assert "the archive has no run nobody" in capsys.readouterr().err
    assert main(["get", "notes", "--archive", ""]) == Exit.NOT_FOUND


def test_the_cluster_comes_first(archive: Archived, api: Api, capsys: Captured) -> None:
    """S718"""
    archive.keep(run(**DONE))
    serve(api, run())
    assert main(["get", "notes"]) == 0
    assert capsys.readouterr().out.startswith("notes  Waiting")
    assert main(["get", "notes", "--archived"]) == 0
    assert capsys.readouterr().out.startswith("notes  Succeeded")


def test_payloads_that_may_not_be_read(archive: Archived, api: Api, capsys: Captured) -> None:
    """S717"""
    serve(api, run(**DONE))
    keep(api, number=2)
    trace = api.answers[f"{PLACE}/noderecords/{ref(2).record_name('Trace')}"][1]
    archive.keep(run(**DONE), records=[trace])
    archive.server.rights -= {("get", "noderecords", NAMESPACE)}
    assert main(["trace", "notes", "--archived"]) == 0
    printed = capsys.readouterr().out
    assert "role waypost-view-payloads grants it" in printed
    assert "tool search" not in printed


def test_no_right_at_all(archive: Archived, capsys: Captured) -> None:
    """S717"""
    archive.keep(run(**DONE))
    archive.server.rights.clear()
    for argv in (["get", "notes", "--archived"], ["list", "--archived"]):
        assert main(argv) == Exit.CLUSTER
        assert "you have no right to" in capsys.readouterr().err


def test_a_list(archive: Archived, capsys: Captured) -> None:
    """S714"""
    for number in range(4):
        archive.keep(finished(number, namespace=NAMESPACE))
    assert main(["list", "--archived"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[1:]] == [
        f"run-{number}" for number in (3, 2, 1, 0)
    ]
    assert main(["list", "--archived", "--limit", "3", "-o", "json"]) == 0
    shown = capsys.readouterr()
    page = json.loads(shown.out)
    assert len(page["items"]) == 3
    assert f"--continue {page['continue']}" in shown.err
    more = ["list", "--archived", "--continue", page["continue"], "-o", "name"]
    assert main(more) == 0
    assert capsys.readouterr().out == "agentworkflow.waypost.dev/run-0\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(["--phase", "Failed"], ["run-2"], id="phase"),
        pytest.param(["--template", "triage-1"], ["run-1"], id="template"),
        pytest.param(["-l", "team=team-3"], ["run-3"], id="label"),
        pytest.param(["--text", "t-2"], ["run-2"], id="text"),
        pytest.param(["--min-cost", "0.02"], ["run-3", "run-2"], id="cost"),
        pytest.param(["--since", "2026-11-01T00:01:03Z"], ["run-3"], id="since"),
        pytest.param(["--until", "2026-11-01T00:01:01Z"], ["run-0"], id="until"),
        pytest.param(["--since", "2026-11-02"], [], id="a-date"),
        pytest.param(["--until", "1h"], ["run-3", "run-2", "run-1", "run-0"], id="a-duration"),
    ],
)
def test_filters(
    archive: Archived, capsys: Captured, options: list[str], expected: list[str]
) -> None:
    """S714"""
    for number in range(4):
        archive.keep(finished(number, namespace=NAMESPACE))
    assert main(["list", "--archived", "-o", "json", *options]) == 0
    found = [one["name"] for one in json.loads(capsys.readouterr().out)["items"]]
    assert found == expected


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(["list", "--text", "x"], "--text needs --archived", id="only-archived"),
        pytest.param(["list", "--archived", "--watch"], "remove --limit", id="watch"),
        pytest.param(["list", "--archived", "-l", "a!=b"], "NAME=VALUE only", id="selector"),
        pytest.param(["list", "--archived", "--since", "soon"], "expected 2026-11-30", id="time"),
        pytest.param(["list", "--archived", "--min-cost", "x"], "minCost: expected", id="cost"),
        pytest.param(["get", "notes", "--archived", "--archive", ""], "--archive URL", id="no-url"),
        pytest.param(["archive", "export", "-A", "-n", "x"], "exclude each other", id="export"),
        pytest.param(["archive", "export", "--format", "csv"], "jsonl or parquet", id="format"),
        pytest.param(["archive", "export", "--format", "parquet"], "needs --file", id="no-file"),
        pytest.param(["archive", "export", "--file", "x"], "needs --file", id="file-alone"),
    ],
)
def test_options_that_are_refused(
    archive: Archived, capsys: Captured, argv: list[str], said: str
) -> None:
    assert main(argv) == Exit.USAGE
    assert said in capsys.readouterr().err


def test_an_archive_that_is_not_there(
    api: Api, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYPOST_ARCHIVE_URL", "http://127.0.0.1:1")
    assert main(["list", "--archived"]) == Exit.CLUSTER
    assert "cannot reach the archive at http://127.0.0.1:1" in capsys.readouterr().err


def test_which_token_is_sent(
    archive: Archived, capsys: Captured, monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    """S717: that of the context, or another one that is named."""
    assert main(["list", "--archived"]) == 0
    monkeypatch.setenv("WAYPOST_ARCHIVE_TOKEN", "other")
    assert main(["list", "--archived"]) == 0
    assert archive.server.tokens == ["t", "other"]
    monkeypatch.delenv("WAYPOST_ARCHIVE_TOKEN")
    text = api.kubeconfig.read_text().replace("token: t", "username: ann")
    api.kubeconfig.write_text(text)
    assert main(["list", "--archived"]) == Exit.CLUSTER
    assert "kubectl create token" in capsys.readouterr().err


def test_export(archive: Archived, capsys: Captured) -> None:
    """One document a line, as the archive has it."""
    for number in range(3):
        archive.keep(finished(number, namespace=NAMESPACE))
    assert main(["archive", "export", "--phase", "Succeeded"]) == 0
    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [line["run"]["metadata"]["name"] for line in lines] == ["run-1", "run-0"]
    assert shown.err == "2 runs\n"


def test_export_to_parquet(archive: Archived, capsys: Captured, tmp_path: Path) -> None:
    """A row for each run, with the same document."""
    for number in range(3):
        archive.keep(finished(number, namespace=NAMESPACE))
    assert main(["archive", "export"]) == 0
    lines = capsys.readouterr().out.splitlines()
    file = tmp_path / "runs.parquet"
    assert main(["archive", "export", "--format", "parquet", "--file", str(file)]) == 0
    assert capsys.readouterr().err == "3 runs\n"
    assert [one.name for one in tmp_path.glob("runs*")] == ["runs.parquet"]
    table = importlib.import_module("pyarrow.parquet").read_table(file)
    rows = table.to_pylist()
    assert [found["document"] for found in rows] == lines
    for found, line in zip(rows, map(json.loads, lines), strict=True):
        run = line["run"]
        assert found["name"] == run["metadata"]["name"]
        assert found["phase"] == run["status"]["phase"]
        assert found["finished_at"] == parse_timestamp(run["status"]["finishedAt"])
        assert dict(found["labels"]) == run["metadata"].get("labels", {})
    assert str(table.schema.field("cost_usd").type) == "decimal128(18, 9)"


@pytest.mark.parametrize(
    ("usage", "tokens", "cost"),
    [
        ({"inputTokens": 7, "costUSD": "0.0042"}, 7, Decimal("0.0042")),
        ({"inputTokens": "7", "costUSD": "NaN"}, None, None),
        ({"inputTokens": True, "costUSD": 1}, None, None),
        ({"costUSD": "many"}, None, None),
    ],
)
def test_a_row_has_what_it_can(usage: Any, tokens: int | None, cost: Decimal | None) -> None:
    found = row({"run": {"status": {"usage": usage}}}, "{}")
    assert (found["input_tokens"], found["cost_usd"]) == (tokens, cost)
    assert (found["name"], found["started_at"], found["round"]) == ("", None, 1)


def test_a_broken_export_leaves_no_file(
    archive: Archived, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Obj:
        raise KeyError

    archive.keep(finished(1, namespace=NAMESPACE))
    file = tmp_path / "runs.parquet"
    file.write_text("the last one")
    monkeypatch.setattr("waypost.cli.archive.parquet.row", broken)
    with pytest.raises(KeyError):
        main(["archive", "export", "--format", "parquet", "--file", str(file)])
    assert [one.name for one in tmp_path.glob("runs*")] == ["runs.parquet"]
    assert file.read_text() == "the last one"
    elsewhere = tmp_path / "no" / "runs.parquet"
    argv = ["archive", "export", "--format", "parquet", "--file", str(elsewhere)]
    assert main(argv) == Exit.USAGE
    assert "--file" in capsys.readouterr().err


def test_parquet_needs_a_library(
    archive: Archived, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    argv = ["archive", "export", "--format", "parquet", "--file", str(tmp_path / "x")]
    assert main(argv) == Exit.USAGE
    assert "install waypost[parquet]" in capsys.readouterr().err
    assert archive.server.tokens == [], "it is said before anything is read"
