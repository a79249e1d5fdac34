"""`waypost logs`: the output of the right pod, or why there is no output."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from waypost.api.meta import LABEL_ATTEMPT
from waypost.cli.app import main
from waypost.cli.errors import Exit
from waypost.kube.logs import document
from waypost.kube.payloads import AttemptRef

from tests.cli.conftest import Api
from tests.cli.runs import NAMESPACE, run, serve

Captured = pytest.CaptureFixture[str]
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RECORDS = f"/apis/waypost.dev/v1alpha1/namespaces/{NAMESPACE}/noderecords"
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEPT = document.kept("one\ntwo\nthree\n", pod="p-3", now=NOW, limit=1024)
GONE = document.unreadable("the pod was removed before its log was read", pod="p-3", now=NOW)


def pods(api: Api, *attempts: int) -> None:
    """A pod for each attempt, which has printed its number."""
    serve(api, run())
    items = [
        {"metadata": {"name": f"p-{number}", "labels": {LABEL_ATTEMPT: str(number)}}}
        for number in attempts
    ]
    api.items(PODS, *items)
    for number in attempts:
        api.put(f"{PODS}/p-{number}/log", {"attempt": number})


def test_the_latest_attempt(api: Api, capsys: Captured) -> None:
    pods(api, 2, 10, 9)
    assert main(["logs", "notes", "draft", "--tail", "7"]) == 0
    assert '"attempt": 10' in capsys.readouterr().out
    path, query = api.asked[-1]
    assert path == f"{PODS}/p-10/log"
    assert query["tailLines"] == ["7"]
    assert api.asked[-2][1]["labelSelector"] == ["waypost.dev/run=uid-1,waypost.dev/node=draft"]


def test_a_named_attempt(api: Api, capsys: Captured) -> None:
    pods(api, 3)
    assert main(["logs", "notes", "draft", "--attempt", "3"]) == 0
    assert api.asked[-2][1]["labelSelector"][0].endswith("waypost.dev/attempt=3")


@pytest.mark.parametrize(
    ("node", "reported"),
    [
        pytest.param(
            "drfat", "no node 'drfat' in notes; its nodes are: draft, review", id="no-node"
        ),
        pytest.param("review", "no pod and no kept log found for review", id="no-pod"),
    ],
)
def test_nothing_to_print(api: Api, capsys: Captured, node: str, reported: str) -> None:
    pods(api)
    assert main(["logs", "notes", node]) == Exit.NOT_FOUND
    assert reported in capsys.readouterr().err


@pytest.mark.parametrize("path", ["draft/1", "draft/compensate/1"])
def test_an_item(api: Api, capsys: Captured, path: str) -> None:
    pods(api, 1)
    found = run()
    undo = {"path": "draft/compensate", "phase": "Succeeded", "stage": "Compensating"}
    found["status"]["nodes"].append(undo)
    serve(api, found)
    assert main(["logs", "notes", path]) == 0
    assert '"attempt": 1' in capsys.readouterr().out
    selector = f"waypost.dev/run=uid-1,waypost.dev/node={path.replace('/', '.')}"
    assert api.asked[-2][1]["labelSelector"] == [selector]


def test_a_map_has_no_log(api: Api, capsys: Captured) -> None:
    pods(api)
    found = run()
    [draft] = [one for one in found["status"]["nodes"] if one["path"] == "draft"]
    draft["items"] = {"total": 3}
    serve(api, found)
    assert main(["logs", "notes", "draft"]) == Exit.NOT_FOUND
    assert "name an item or iteration, such as draft/0" in capsys.readouterr().err


def test_a_compensation(api: Api, capsys: Captured) -> None:
    pods(api, 1)
    found = run()
    undo = {"path": "draft/compensate", "phase": "Failed", "stage": "Compensating"}
    found["status"]["nodes"].append(undo)
    serve(api, found)
    assert main(["logs", "notes", "draft/compensate"]) == 0
    assert '"attempt": 1' in capsys.readouterr().out
    selector = "waypost.dev/run=uid-1,waypost.dev/node=draft.compensate"
    assert api.asked[-2][1]["labelSelector"] == [selector]


def keep(api: Api, *logs: tuple[int, document.KeptLog]) -> None:
    """A kept log for each of these attempts."""
    records = [
        document.manifest(log, AttemptRef("notes", "uid-1", "draft", 1, attempt), namespace="x")[0]
        for attempt, log in logs
    ]
    api.items(RECORDS, *records)


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        pytest.param([(1, KEPT)], ["attempt 1, from NodeRecord", "kept at 2026-03-01"], id="kept"),
        pytest.param([(9, KEPT), (10, KEPT)], ["attempt 10"], id="the-latest"),
        pytest.param([(1, replace(KEPT, cut=True))], ["older lines were not kept"], id="cut"),
        pytest.param(
            [(1, replace(KEPT, partial="no such container"))],
            ["the end is missing: no such container"],
            id="partial",
        ),
    ],
)
def test_the_kept_log_of_a_pod_that_is_gone(
    api: Api, capsys: Captured, logs: list[tuple[int, document.KeptLog]], expected: list[str]
) -> None:
    """S586"""
    pods(api)
    keep(api, *logs)
    assert main(["logs", "notes", "draft", "--tail", "2"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "two\nthree\n"
    for words in expected:
        assert words in shown.err
    selector = api.asked[-1][1]["labelSelector"]
    assert selector == ["waypost.dev/run=uid-1,waypost.dev/node=draft"]


def test_the_source_is_said(api: Api, capsys: Captured) -> None:
    """S586"""
    pods(api, 2)
    assert main(["logs", "notes", "draft"]) == 0
    assert "attempt 2, from pod p-2" in capsys.readouterr().err


LONG = "".join(f"line {number:05} {'x' * 1000}\n" for number in range(4000))


@pytest.mark.parametrize(
    ("options", "note"),
    [
        pytest.param(["--tail", "4000"], "older lines are left out", id="by-bytes"),
        pytest.param(["--tail", "100"], "", id="by-lines"),
    ],
)
def test_s630_the_end_of_a_long_log(
    api: Api, capsys: Captured, options: list[str], note: str
) -> None:
    pods(api, 1)
    api.texts[f"{PODS}/p-1/log"] = LONG
    assert main(["logs", "notes", "draft", *options]) == 0
    shown = capsys.readouterr()
    assert LONG.endswith(shown.out)
    assert shown.out.count("\n") >= 100
    assert note in shown.err
    assert bool(note) == ("left out" in shown.err)


def test_a_pod_whose_log_is_gone(api: Api, capsys: Captured) -> None:
    """S586: the kept log of the same attempt, never that of another one."""
    pods(api, 3)
    del api.answers[f"{PODS}/p-3/log"]
    keep(api, (2, KEPT), (3, replace(KEPT, text="the third\n")))
    assert main(["logs", "notes", "draft"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "the third\n"
    assert "pod p-3 has no readable log" in shown.err


def test_a_log_that_could_not_be_read(api: Api, capsys: Captured) -> None:
    """S587: not an empty log."""
    pods(api)
    keep(api, (3, GONE))
    assert main(["logs", "notes", "draft"]) == Exit.NOT_FOUND
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no log of attempt 3 of draft: the pod was removed before its log was read" in shown.err


def test_an_earlier_attempt_is_named_as_such(api: Api, capsys: Captured) -> None:
    """S587"""
    pods(api)
    found = run()
    found["status"]["nodes"][0] |= {"path": "draft", "attempt": 4}
    serve(api, found)
    keep(api, (3, KEPT))
    assert main(["logs", "notes", "draft"]) == 0
    assert "no log of attempt 4 exists; this is an earlier one" in capsys.readouterr().err


def test_no_right_to_read_kept_logs(api: Api, capsys: Captured) -> None:
    """S586"""
    pods(api)
    api.refuse(RECORDS, status=403, message="noderecords is forbidden", reason="Forbidden")
    assert main(["logs", "notes", "draft"]) == Exit.CLUSTER
    assert "the kept log cannot be read: noderecords is forbidden" in capsys.readouterr().err


def test_following_a_node_that_has_ended(api: Api, capsys: Captured) -> None:
    """S586: there is nothing to wait for; the kept log is printed."""
    pods(api)
    found = run()
    found["status"]["nodes"] = [{"path": "draft", "attempt": 3, "phase": "Failed"}]
    serve(api, found)
    keep(api, (3, KEPT))
    assert main(["logs", "-f", "notes", "draft"]) == 0
    assert capsys.readouterr().out == KEPT.text


def test_no_right_to_list_pods(api: Api, capsys: Captured) -> None:
    """S586: a person who may read payloads and no pods reads the kept log."""
    pods(api)
    api.refuse(PODS, status=403, message="pods is forbidden", reason="Forbidden")
    keep(api, (3, KEPT))
    assert main(["logs", "notes", "draft"]) == 0
    shown = capsys.readouterr()
    assert shown.out == KEPT.text
    assert "pods cannot be listed: pods is forbidden" in shown.err


def test_no_right_to_list_pods_and_no_kept_log(api: Api, capsys: Captured) -> None:
    """S587"""
    pods(api)
    api.refuse(PODS, status=403, message="pods is forbidden", reason="Forbidden")
    keep(api)
    assert main(["logs", "notes", "draft"]) == Exit.CLUSTER
    assert "pods is forbidden" in capsys.readouterr().err
