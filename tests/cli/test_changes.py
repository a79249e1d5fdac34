"""`waypost rerun`, `suspend`, `resume`, `cancel`: the patch they send, and what they say of it."""

from pathlib import Path
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Answer, Api
from tests.cli.runs import RUN_PATH

Captured = pytest.CaptureFixture[str]


def body(
    *, round_: int = 1, generation: int = 3, conditions: Any = (), nodes: Any = ()
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "notes",
            "uid": "u",
            "resourceVersion": "41",
            "generation": generation,
        },
        "spec": {"nodes": []},
        "status": {"round": round_, "conditions": list(conditions), "nodes": list(nodes)},
    }


def begins(api: Api, round_: int = 2) -> None:
    """An operator that begins the round as soon as it is asked for."""
    api.put(RUN_PATH, body())
    nodes = [
        {"path": "a", "disposition": "Reused", "dispositionMessage": "as in round 1"},
        {"path": "b", "disposition": "Rerun", "dispositionMessage": "it failed: NodeError"},
        {"path": "c"},
    ]

    def patch(path: str, sent: Any) -> Answer:
        api.put(RUN_PATH, body(round_=round_, nodes=nodes))
        return 200, body()

    api.on_patch = patch


def test_a_round_is_begun_and_told(api: Api, capsys: Captured) -> None:
    begins(api)
    assert main(["rerun", "notes", "--from", "b", "--output", 'd={"n": null}', "--skip", "e"]) == 0
    rerun = {"round": 2, "from": ["b"], "skip": ["e"], "outputs": {"d": {"n": None}}}
    rerun |= {"requestedBy": "ann"}
    assert api.patched == [
        (
            RUN_PATH,
            [
                {"op": "replace", "path": "/metadata/resourceVersion", "value": "41"},
                {"op": "add", "path": "/spec/rerun", "value": rerun},
            ],
        )
    ]
    reported = capsys.readouterr().out.splitlines()
    assert reported == [
        "round 2 of notes has started",
        "  a: Reused: as in round 1",
        "  b: Rerun: it failed: NodeError",
    ]


def test_what_the_last_round_asked_for_is_not_asked_again(api: Api) -> None:
    begins(api)
    assert main(["rerun", "notes"]) == 0
    assert api.patched[0][1][1]["value"] == {"round": 2, "requestedBy": "ann"}


def test_without_a_name_the_round_has_none(api: Api) -> None:
    begins(api)
    api.user = ""
    assert main(["rerun", "notes"]) == 0
    assert api.patched[0][1][1]["value"] == {"round": 2}


def test_the_current_version_of_the_template_is_requested(api: Api) -> None:
    begins(api)
    assert main(["rerun", "notes", "--latest"]) == 0
    rerun = {"round": 2, "template": "Latest", "requestedBy": "ann"}
    assert api.patched[0][1][1]["value"] == rerun


def test_s748_a_round_that_reads_the_memory_again_is_requested(api: Api) -> None:
    begins(api)
    assert main(["rerun", "notes", "--refresh-memory"]) == 0
    rerun = {"round": 2, "memory": "Refresh", "requestedBy": "ann"}
    assert api.patched[0][1][1]["value"] == rerun


def test_an_edited_manifest_comes_along(api: Api, tmp_path: Path) -> None:
    begins(api)
    file = tmp_path / "run.yaml"
    file.write_text(
        "kind: AgentWorkflow\nmetadata: {name: notes}\nspec: {nodes: [{name: a}]}\n---\nkind: X\n"
    )
    assert main(["rerun", "notes", "-f", str(file)]) == 0
    sent = {"nodes": [{"name": "a"}], "rerun": {"round": 2, "requestedBy": "ann"}}
    assert api.patched[0][1][1] == {"op": "replace", "path": "/spec", "value": sent}


def test_somebody_was_faster(api: Api) -> None:
    begins(api, round_=3)
    begin = api.on_patch

    def patch(path: str, sent: Any) -> Answer:
        api.put(RUN_PATH, body(round_=2))
        api.on_patch = begin
        return 409, {"kind": "Status", "reason": "Conflict", "message": "modified"}

    api.on_patch = patch
    assert main(["rerun", "notes"]) == 0
    assert [sent[1]["value"]["round"] for _, sent in api.patched] == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["--output", "b"], Exit.USAGE, "expected NODE=JSON or NODE=@FILE", id="form"),
        pytest.param(["--output", "b=yes"], Exit.USAGE, "a string needs quotes", id="json"),
        pytest.param(["--output", "b=@/no/such"], Exit.USAGE, "/no/such", id="file"),
        pytest.param(["-f", "/no/such"], Exit.USAGE, "/no/such", id="manifest"),
    ],
)
def test_wrong_arguments_ask_the_cluster_nothing(
    api: Api, capsys: Captured, arguments: list[str], code: int, says: str
) -> None:
    assert main(["rerun", "notes", *arguments]) == code
    assert says in capsys.readouterr().err
    assert (api.asked, api.patched) == ([], [])


def test_a_refusal_of_the_api_server_is_told_in_its_words(api: Api, capsys: Captured) -> None:
    api.put(RUN_PATH, body())
    text = "run notes is cancelled, so no new round can start"
    refusal = {"kind": "Status", "reason": "Invalid", "message": text}
    api.on_patch = lambda path, sent: (422, refusal)
    assert main(["rerun", "notes"]) == Exit.FAILED
    assert text in capsys.readouterr().err


def test_a_refusal_of_the_operator_is_told(api: Api, capsys: Captured) -> None:
    accepted = {
        "type": "Accepted",
        "status": "False",
        "observedGeneration": 4,
        "message": "rerun.from: there is no node 'x'",
    }
    old = {**accepted, "observedGeneration": 3, "message": "of an earlier spec"}
    api.put(RUN_PATH, body(conditions=[old]))

    def patch(path: str, sent: Any) -> Answer:
        api.put(RUN_PATH, body(generation=4, conditions=[accepted]))
        return 200, body()

    api.on_patch = patch
    assert main(["rerun", "notes", "--from", "x"]) == Exit.FAILED
    assert "round 2 was rejected: rerun.from: there is no node 'x'" in capsys.readouterr().err


def test_without_an_operator_it_says_so(api: Api, capsys: Captured) -> None:
    api.put(RUN_PATH, body())
    api.on_patch = lambda path, sent: (200, body())
    assert main(["rerun", "notes", "--wait", "0"]) == 0
    assert "no operator has started it yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "fields", "answer"),
    [
        pytest.param(
            ["suspend", "notes"],
            {"suspend": True},
            "notes is suspended; continue with `waypost resume notes`",
            id="suspend",
        ),
        pytest.param(["resume", "notes"], {"suspend": False}, "notes is resumed", id="resume"),
        pytest.param(
            ["cancel", "notes"], {"cancel": True}, "notes is being cancelled", id="cancel"
        ),
        pytest.param(
            ["cancel", "notes", "--skip-finally"],
            {"cancel": True, "skipFinally": True},
            "notes is being cancelled, and so is finally",
            id="one patch, so that finally does not begin between two",
        ),
    ],
)
def test_a_run_is_suspended_resumed_and_cancelled(
    api: Api, capsys: Captured, arguments: list[str], fields: dict[str, bool], answer: str
) -> None:
    api.put(RUN_PATH, body())
    api.on_patch = lambda path, sent: (200, body())
    assert main(arguments) == 0
    assert [sent for _, sent in api.patched] == [
        [{"op": "add", "path": f"/spec/{field}", "value": value} for field, value in fields.items()]
    ]
    assert capsys.readouterr().out == f"{answer}\n"


ENDED = {"phase": "Failed", "finishedAt": "2026-11-28T10:00:00Z", "round": 2}


def test_a_run_that_has_ended_is_not_cancelled(api: Api, capsys: Captured) -> None:
    """It would change nothing, and no round of it could begin any more."""
    api.put(RUN_PATH, {**body(), "status": ENDED})
    assert main(["cancel", "notes"]) == Exit.FAILED
    assert "notes has ended as Failed, so there is nothing to cancel" in capsys.readouterr().err
    assert api.patched == []


def test_a_round_that_is_requested_is_cancelled(api: Api) -> None:
    requested = body()
    requested["spec"]["rerun"] = {"round": 3}
    api.put(RUN_PATH, {**requested, "status": ENDED})
    api.on_patch = lambda path, sent: (200, body())
    assert main(["cancel", "notes"]) == 0
    assert api.patched


@pytest.mark.parametrize("command", ["rerun", "suspend", "resume", "cancel"])
def test_an_unknown_run(api: Api, capsys: Captured, command: str) -> None:
    assert main([command, "no"]) == Exit.NOT_FOUND
    assert "no AgentWorkflow 'no'" in capsys.readouterr().err
