"""`waypost memory`: what runs remember, from the API server to the terminal and back."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.kube.memory.names import entry_labels, memory_digest
from waypost.kube.timestamps import parse_timestamp

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE

Captured = pytest.CaptureFixture[str]
FOLDER = f"{GROUP}/namespaces/{NAMESPACE}"
ENTRIES = f"{FOLDER}/memoryentries"
RECORDS = f"{FOLDER}/noderecords"
RUNS = f"{FOLDER}/agentworkflows"


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def entry(name: str, *, hours: float = -1, **fields: Any) -> dict[str, Any]:
    """A proposed Fact about customer-17; `fields` change its spec, None removes one."""
    type_ = fields.get("type", "Fact")
    source: dict[str, Any] = {"run": "triage-31", "runUid": "u-31", "round": 1, "at": at(hours)}
    if type_ == "Fact":
        source["path"] = "ask"
    spec = {
        "scope": "triage",
        "key": "customer-17",
        "type": type_,
        "text": "another text",
        "value": {"text": f"about {name}"},
        "source": source,
        "expiresAt": at(100),
        **fields,
    }
    kept = {key: value for key, value in spec.items() if value is not None}
    labels = entry_labels(
        scope=str(spec["scope"]), key=str(spec["key"]), type_=type_, run_uid="u-31"
    )
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "labels": labels}
    return {
        "apiVersion": "waypost.dev/v1alpha1",
        "kind": "MemoryEntry",
        "metadata": {**metadata, "resourceVersion": f"v-{name}"},
        "spec": kept,
        "status": {"phase": "Proposed"},
    }


def accepted(name: str, **fields: Any) -> dict[str, Any]:
    return entry(name, decision="Accepted", decidedBy="ann", **fields)


def forgotten(name: str, *, hours: float = -2) -> dict[str, Any]:
    source = {"at": at(hours)}
    return entry(name, type="Forgotten", value=None, text=None, source=source)


def serve(api: Api, *entries: dict[str, Any]) -> None:
    api.items(ENTRIES, *entries)
    for one in entries:
        api.put(f"{ENTRIES}/{one['metadata']['name']}", one)
    api.items(RUNS)
    api.items(RECORDS)
    api.put("/version", {"major": "1"})


def listed(capsys: Captured, *argv: str) -> dict[str, tuple[str, str]]:
    """Phase and reason by name."""
    assert main(["memory", "list", *argv, "-o", "json"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    return {one["name"]: (one["phase"], one["reason"]) for one in items}


def test_s685_lists_say_what_entries_are_now_and_not_what_status_says(
    api: Api, capsys: Captured
) -> None:
    serve(
        api,
        entry("proposed"),
        accepted("old", hours=-3, subject="s"),
        accepted("new", hours=-2, subject="s"),
        entry("no", decision="Rejected", decidedBy="ann"),
    )
    assert listed(capsys) == {
        "proposed": ("Proposed", "ReviewRequired"),
        "new": ("Active", "Decided"),
    }
    assert listed(capsys, "--all") == {
        "proposed": ("Proposed", "ReviewRequired"),
        "new": ("Active", "Decided"),
        "old": ("Superseded", "NewerFact"),
        "no": ("Rejected", "Decided"),
    }
    assert set(listed(capsys, "--phase", "Superseded")) == {"old"}
    assert set(listed(capsys, "customer-18", "--all")) == set()
    assert set(listed(capsys, "--run", "triage-31", "--type", "Episode")) == set()


def test_the_table(api: Api, capsys: Captured) -> None:
    serve(api, entry("a", subject="address", value={"text": "Only\nto \x1b[31mLeipzig"}))
    assert main(["memory", "list"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "KEY", "TYPE", "SUBJECT", "TEXT", "PHASE", "AGE"]
    assert "Only to [31mLeipzig" in row, "the beginning of the value, not spec.text"
    assert main(["memory", "list", "-o", "wide"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert "DECIDED BY" in head
    assert "triage-31" in row
    assert main(["memory", "list", "-o", "name"]) == 0
    assert capsys.readouterr().out == "memoryentry.waypost.dev/a\n"


def test_a_key_and_a_scope_are_asked_for_by_label(api: Api, capsys: Captured) -> None:
    serve(api, entry("a"), entry("other", scope="billing"))
    assert set(listed(capsys, "customer-17", "--scope", "triage")) == {"a"}, "the spec decides"
    label = memory_digest(scope="triage", key="customer-17")
    assert api.asked[-1][1]["labelSelector"] == [f"waypost.dev/memory={label}"]


def test_what_cannot_be_read_is_said(api: Api, capsys: Captured) -> None:
    serve(api, entry("a"), entry("odd", value={"text": "x" * 5000}))
    assert main(["memory", "list"]) == 0
    shown = capsys.readouterr()
    assert "left out, because they cannot be read: 1" in shown.err
    assert "odd" not in shown.out
    assert main(["memory", "show", "odd"]) == Exit.FAILED
    assert "runs do not read it" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--type", "Rumor"], ["--phase", "Old"], ["-o", "xml"]])
def test_wrong_filters(api: Api, argv: list[str]) -> None:
    assert main(["memory", "list", *argv]) == Exit.USAGE


def test_one_entry(api: Api, capsys: Captured) -> None:
    serve(api, accepted("a", note="seen by both", subject="address"))
    assert main(["memory", "show", "a"]) == 0
    printed = capsys.readouterr().out
    for part in (
        "a  Fact  Active (Decided)  in here",
        '"text": "about a"',
        "customer-17",
        "triage-31, round 1",
        "Accepted by ann",
        "seen by both",
    ):
        assert part in printed
    assert main(["memory", "show", "a", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["value"], document["runUid"]) == ({"text": "about a"}, "u-31")


def test_an_entry_that_does_not_exist(api: Api, capsys: Captured) -> None:
    serve(api)
    assert main(["memory", "show", "b"]) == Exit.NOT_FOUND
    assert "see `waypost memory list`" in capsys.readouterr().err


def patched(api: Api) -> list[tuple[str, Any]]:
    return [(path.rpartition("/")[2], body) for path, body in api.patched]


def test_s681_a_decision_is_written_about_what_was_shown(api: Api, capsys: Captured) -> None:
    serve(api, entry("a"), entry("b"))
    api.on_patch = lambda _path, _body: (200, entry("a"))
    assert main(["memory", "review", "a", "--accept", "--note", "checked", "--yes"]) == 0
    spec = {"decision": "Accepted", "decidedBy": "ann", "note": "checked"}
    assert patched(api) == [("a", {"metadata": {"resourceVersion": "v-a"}, "spec": spec})]
    printed = capsys.readouterr().out
    assert '"text": "about a"' in printed, "it is shown before"
    assert "a is Accepted" in printed


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        pytest.param(["--key", "customer-17", "--accept"], ["proposed"], id="accept"),
        pytest.param(["--key", "customer-17", "--reject"], ["proposed", "active"], id="reject"),
        pytest.param(["--run", "triage-31", "--reject"], ["proposed", "active"], id="of-a-run"),
        pytest.param(["--run", "triage-32", "--reject"], [], id="of-another-run"),
        pytest.param(["--scope", "billing", "--accept"], [], id="of-another-scope"),
        pytest.param(["rejected", "--accept"], ["rejected"], id="named"),
    ],
)
def test_which_entries_are_reviewed(api: Api, argv: list[str], names: list[str]) -> None:
    rejected = entry("rejected", hours=-3, decision="Rejected", decidedBy="bob")
    serve(api, entry("proposed"), accepted("active", hours=-2), rejected, forgotten("f", hours=-9))
    api.on_patch = lambda _path, _body: (200, {})
    assert main(["memory", "review", *argv, "-y"]) == 0
    assert [name for name, _ in patched(api)] == names


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        pytest.param(["a", "--accept", "--reject"], Exit.USAGE, id="both"),
        pytest.param(["--accept"], Exit.USAGE, id="nothing-named"),
        pytest.param(["a", "--key", "k", "--accept"], Exit.USAGE, id="named-twice"),
        pytest.param(["a", "--accept"], Exit.USAGE, id="not-confirmed"),
        pytest.param(["a"], Exit.USAGE, id="no-terminal"),
        pytest.param(["f", "--accept", "-y"], Exit.FAILED, id="forgotten"),
        pytest.param(["c", "--accept", "-y"], Exit.NOT_FOUND, id="missing"),
    ],
)
def test_reviews_that_change_nothing(api: Api, argv: list[str], code: int) -> None:
    serve(api, entry("a"), forgotten("f"))
    assert main(["memory", "review", *argv]) == code
    assert api.patched == []


def test_one_by_one(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(api, *(entry(name, hours=-n) for n, name in enumerate("abcd", start=1)))
    api.on_patch = lambda _path, _body: (200, {})
    answers = iter(["a", "x", "reject", "q"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(typer, "prompt", lambda *_args, **_options: next(answers))
    assert main(["memory", "review", "--key", "customer-17"]) == 0
    decisions = [(name, body["spec"]["decision"]) for name, body in patched(api)]
    assert decisions == [("a", "Accepted"), ("c", "Rejected")]


@pytest.mark.parametrize(
    ("status", "reason", "code", "says"),
    [
        (403, "Forbidden", Exit.CLUSTER, "waypost-memory-reviewer grants it"),
        (409, "Conflict", Exit.FAILED, "has changed since it was shown"),
        (404, "NotFound", Exit.FAILED, "was deleted since it was shown"),
        (422, "Invalid", Exit.FAILED, "refused: no"),
    ],
)
def test_refused_decisions(
    api: Api, capsys: Captured, status: int, reason: str, code: int, says: str
) -> None:
    serve(api, entry("a"))
    body = {"kind": "Status", "reason": reason, "message": "no"}
    api.on_patch = lambda _path, _body: (status, body)
    assert main(["memory", "review", "a", "--accept", "-y"]) == code
    assert says in capsys.readouterr().err


def test_nobody_decides_without_a_name(api: Api, capsys: Captured) -> None:
    serve(api, entry("a"))
    api.user = ""
    assert main(["memory", "review", "a", "--accept", "-y"]) == Exit.FAILED
    assert "a decision needs a name" in capsys.readouterr().err
    assert api.patched == []


def run(name: str, *, key: str = "customer-17", scope: str = "triage") -> dict[str, Any]:
    memory = {"scope": scope, "key": key, "record": f"{name}-memory-0123456789"}
    return {
        "metadata": {"name": name, "uid": f"u-{name}"},
        "status": {"phase": "Succeeded", "memory": memory},
    }


def remember(api: Api) -> None:
    """Two entries of the key, one of another, a run that has read them, and its records."""
    serve(api, entry("a"), entry("b", hours=-3), entry("other", key="customer-18"))
    api.items(RUNS, run("triage-32"), run("other", key="x"), run("foreign", scope="billing"))
    names = [
        "triage-32-memory-0123456789",
        "triage-32-remember-0123456789",
        "triage-32-ask-1-trace-01",
    ]
    api.items(RECORDS, *({"metadata": {"name": name}} for name in names))


def deleted(api: Api) -> list[str]:
    return sorted(path.rpartition("/")[2] for path, _ in api.deleted)


def test_s686_forget_begins_with_a_tombstone(api: Api, capsys: Captured) -> None:
    remember(api)
    api.refuse(f"POST {ENTRIES}", status=403, message="no", reason="Forbidden")
    assert main(["memory", "forget", "customer-17", "-y"]) == Exit.CLUSTER
    assert len(api.created) == 1
    assert api.deleted == [], "nothing is deleted before"


def test_s686_forget_deletes_the_entries_and_names_the_copies(api: Api, capsys: Captured) -> None:
    remember(api)
    before = datetime.now(UTC)
    assert main(["memory", "forget", "customer-17", "-y"]) == 0
    after = datetime.now(UTC)
    (_, tombstone), *rest = api.created
    assert rest == []
    spec = tombstone["spec"]
    assert (spec["type"], spec["scope"], spec["key"]) == ("Forgotten", "triage", "customer-17")
    said, ends = parse_timestamp(spec["source"]["at"]), parse_timestamp(spec["expiresAt"])
    assert said is not None
    assert ends == said + timedelta(days=30)
    second = timedelta(seconds=1)  # the API server says no more
    assert before <= said + timedelta(milliseconds=1) <= after + 2 * second, "its time"
    assert tombstone["metadata"]["labels"] == entry_labels(
        scope="triage", key="customer-17", type_="Forgotten"
    )
    assert deleted(api) == ["a", "b"]
    uids = sorted(body["preconditions"]["uid"] for _, body in api.deleted)
    assert uids == ["uid-a", "uid-b"], "as they were found"
    printed = capsys.readouterr().out
    assert "2 entries deleted" in printed
    assert "triage-32" in printed
    assert "foreign" not in printed
    assert "--records deletes them" in printed


def test_s687_records_of_memory_are_deleted_on_request_and_no_others(
    api: Api, capsys: Captured
) -> None:
    remember(api)
    assert main(["memory", "forget", "customer-17", "--records", "-y"]) == 0
    records = ["triage-32-memory-0123456789", "triage-32-remember-0123456789"]
    assert deleted(api) == ["a", "b", *records]
    asked = [query for path, query in api.asked if path == RECORDS]
    assert asked[-1]["labelSelector"] == ["waypost.dev/run=u-triage-32"]
    assert "2 records deleted, of these runs" in capsys.readouterr().out


def test_a_dry_run_of_forget_changes_nothing(api: Api, capsys: Captured) -> None:
    remember(api)
    assert main(["memory", "forget", "customer-17", "--records", "--dry-run"]) == 0
    assert api.created == api.deleted == []
    assert (
        "2 entries of key customer-17 and scope triage would be deleted" in capsys.readouterr().out
    )
    assert main(["memory", "forget", "customer-17"]) == Exit.USAGE, "it has to be confirmed"
    assert api.created == api.deleted == []


def test_s686_the_tombstone_is_not_older_than_an_entry_of_an_operator_that_is_ahead(
    api: Api,
) -> None:
    ahead = entry("ahead", hours=0.08)
    serve(api, ahead, entry("invented", hours=500, expiresAt=at(600)))
    assert main(["memory", "forget", "customer-17", "-y"]) == 0
    said = api.created[0][1]["spec"]["source"]["at"]
    assert said[:23] == ahead["spec"]["source"]["at"][:23], "to the millisecond"
    assert deleted(api) == ["ahead", "invented"]


@pytest.mark.parametrize(
    ("scopes", "argv", "code", "says"),
    [
        ([], [], Exit.NOT_FOUND, "name the workflow with --scope"),
        (["triage", "billing"], [], Exit.USAGE, "billing, triage; choose one with --scope"),
        (["triage", "billing"], ["--scope", "billing"], Exit.OK, ""),
        ([], ["--scope", "triage"], Exit.OK, ""),
        (["*"], [], Exit.OK, ""),
    ],
)
def test_which_scope_is_meant(
    api: Api, capsys: Captured, scopes: list[str], argv: list[str], code: int, says: str
) -> None:
    serve(api, *(entry(f"e{n}", scope=scope) for n, scope in enumerate(scopes)))
    assert main(["memory", "forget", "customer-17", *argv, "-y"]) == code
    assert says in capsys.readouterr().err
    assert len(api.created) == (code == Exit.OK)


def test_runs_are_named_without_the_right_to_see_their_records(api: Api, capsys: Captured) -> None:
    remember(api)
    api.refuse(RECORDS, status=403, message="no", reason="Forbidden")
    assert main(["memory", "forget", "customer-17", "-y"]) == 0
    shown = capsys.readouterr()
    assert "triage-32" in shown.out
    assert "their records are not known: no" in shown.err


# What readers of YAML take for something else, if it is not quoted.
ODD = [
    {"on": None},
    "1e3",
    "0o7",
    "1_000",
    "~",
    "2026-01-01",
    "=",
    "<<",
    "y",
    "No",
    "a: b",
    "# c",
    "",
]


def exported(capsys: Captured, *argv: str) -> list[dict[str, Any]]:
    assert main(["memory", "export", *argv]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def imported(api: Api) -> dict[str, dict[str, Any]]:
    return {body["metadata"]["name"]: body for _, body in api.created}


def test_an_export_is_imported_as_it_was(api: Api, capsys: Captured, tmp_path: Path) -> None:
    odd = entry("odd", hours=-2, value={"text": "\u00e9 \x07", "n": 1.5, "deep": ODD})
    entries = [accepted("a", note="ok"), odd, forgotten("f", hours=-9)]
    serve(api, *entries)
    made = exported(capsys)
    assert [one["metadata"]["name"] for one in made] == ["f", "odd", "a"], "oldest first"
    assert all("status" not in one and set(one["metadata"]) == {"name", "labels"} for one in made)
    main(["memory", "export"])
    file = tmp_path / "memory.yaml"
    file.write_text(capsys.readouterr().out)
    serve(api)
    assert main(["memory", "import", str(file), "--yes"]) == 0
    created = imported(api)
    assert list(created) == ["f", "odd", "a"], "what forgets comes first"
    for one in entries:
        wanted = dict(one["spec"])
        if "value" in wanted:
            wanted["text"] = created[one["metadata"]["name"]]["spec"]["text"]
        assert created[one["metadata"]["name"]]["spec"] == wanted
    assert created["a"]["spec"]["text"] == "about a", "made of the value"


def test_json_is_exported_too(api: Api, capsys: Captured, tmp_path: Path) -> None:
    serve(api, entry("a"), entry("b", key="customer-18"))
    assert main(["memory", "export", "customer-17", "-o", "json"]) == 0
    file = tmp_path / "memory.json"
    file.write_text(capsys.readouterr().out)
    serve(api)
    assert main(["memory", "import", str(file), "-y"]) == 0
    assert list(imported(api)) == ["a"]
    assert main(["memory", "export", "-o", "text"]) == Exit.USAGE


def write(path: Path, *entries: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump_all(entries))
    return str(path)


def test_s688_an_import_brings_nothing_back_that_was_forgotten(
    api: Api, capsys: Captured, tmp_path: Path
) -> None:
    there = entry("there")
    file = write(
        tmp_path / "m.yaml",
        entry("before", hours=-3),
        entry("after", hours=-1),
        entry("expired", expiresAt=at(-0.5)),
        there,
    )
    serve(api, forgotten("f", hours=-2), there)
    assert main(["memory", "import", file, "-y"]) == 0
    assert list(imported(api)) == ["after"]
    said = capsys.readouterr().err
    assert "left out: before: key customer-17 was forgotten" in said
    assert "left out: expired: it expired at" in said
    assert "left out: there: it exists" in said


def test_s688_tombstones_of_a_file_come_first(api: Api, tmp_path: Path) -> None:
    entries = [entry("after", hours=-1), entry("before", hours=-3), forgotten("f", hours=-2)]
    serve(api)
    assert main(["memory", "import", write(tmp_path / "m.yaml", *entries), "-y"]) == 0
    assert list(imported(api)) == ["f", "after"]


def test_facts_can_be_reviewed_again(api: Api, tmp_path: Path) -> None:
    automatic = accepted("a", review="Automatic", note="x")
    file = write(tmp_path / "m.yaml", automatic, entry("e", type="Episode", succeeded=True))
    serve(api)
    assert main(["memory", "import", file, "--review", "--dry-run"]) == 0
    assert api.created == []
    assert main(["memory", "import", file, "--review", "-y"]) == 0
    spec = imported(api)["a"]["spec"]
    assert spec["review"] == "Required"
    assert not {"decision", "decidedBy", "note"} & spec.keys()
    assert "review" not in imported(api)["e"]["spec"]


def test_labels_of_a_file_do_not_count(api: Api, tmp_path: Path) -> None:
    one = entry("a")
    one["metadata"]["labels"] = {"waypost.dev/memory": "0" * 32, "team": "x"}
    serve(api)
    assert main(["memory", "import", write(tmp_path / "m.yaml", one), "-y"]) == 0
    wanted = entry_labels(scope="triage", key="customer-17", type_="Fact", run_uid="u-31")
    assert imported(api)["a"]["metadata"]["labels"] == wanted


@pytest.mark.parametrize(
    ("one", "says"),
    [
        pytest.param({"kind": "Secret", "metadata": {"name": "s"}}, "found Secret", id="kind"),
        pytest.param(entry("a", key=None), "spec.key: is required", id="no-key"),
        pytest.param(entry("a", decision="Accepted"), "belong together", id="nobody"),
        pytest.param(entry("a", value={"t": "x" * 5000}), "the limit is 4096", id="large"),
        pytest.param(entry("a", weight=1), "weight", id="unknown-field"),
    ],
)
def test_files_that_are_refused_as_a_whole(
    api: Api, capsys: Captured, tmp_path: Path, one: dict[str, Any], says: str
) -> None:
    serve(api)
    assert main(["memory", "import", write(tmp_path / "m.yaml", entry("b"), one), "-y"]) == 2
    assert says in capsys.readouterr().err
    assert api.created == []


def test_a_refused_import_says_how_far_it_came(api: Api, capsys: Captured, tmp_path: Path) -> None:
    serve(api)
    api.refuse(f"POST {ENTRIES}", status=403, message="no right", reason="Forbidden")
    assert main(["memory", "import", write(tmp_path / "m.yaml", entry("a")), "-y"]) == Exit.CLUSTER
    said = capsys.readouterr().err
    assert "a was refused, after 0 were created: no right" in said
    assert "waypost-memory-keeper" in said


def test_files_that_cannot_be_read(api: Api, tmp_path: Path) -> None:
    assert main(["memory", "import", str(tmp_path / "none"), "-y"]) == Exit.USAGE
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    assert main(["memory", "import", str(broken), "-y"]) == Exit.USAGE
