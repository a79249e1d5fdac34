"""`waypost list`: pages, filters and formats."""

import json
from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE, at, run

Captured = pytest.CaptureFixture[str]
RUNS = f"{GROUP}/namespaces/{NAMESPACE}/agentworkflows"


def named(name: str, *, created: float = 0, phase: str = "Waiting") -> dict[str, Any]:
    found = run(phase=phase)
    found["metadata"] |= {"name": name, "uid": f"uid-{name}", "creationTimestamp": at(created)}
    return found


def page(api: Api, token: str, *names: str, then: str = "") -> None:
    items = [named(name) for name in names]
    key = f"{RUNS}#{token}" if token else RUNS
    api.put(key, {"metadata": {"resourceVersion": "7", "continue": then}, "items": items})


def test_all_pages_are_read(api: Api, capsys: Captured) -> None:
    page(api, "", "a", "b", then="t1")
    page(api, "t1", "c", then="t2")
    page(api, "t2", "d")
    assert main(["list", "-o", "name"]) == 0
    assert capsys.readouterr().out.split() == [
        f"agentworkflow.waypost.dev/{name}" for name in "abcd"
    ]


def test_one_page(api: Api, capsys: Captured) -> None:
    page(api, "", "a", "b", then="t1")
    page(api, "t1", "c")
    assert main(["list", "--limit", "2"]) == 0
    shown = capsys.readouterr()
    assert "--continue t1" in shown.err
    assert "c" not in [line.split()[0] for line in shown.out.splitlines()]
    assert api.asked[0][1]["limit"] == ["2"]
    assert main(["list", "--limit", "2", "--continue", "t1", "-o", "name"]) == 0
    assert capsys.readouterr().out == "agentworkflow.waypost.dev/c\n"


def test_a_page_that_has_expired(api: Api, capsys: Captured) -> None:
    api.put(f"{RUNS}#old", {"kind": "Status", "reason": "Expired", "message": "old"}, status=410)
    assert main(["list", "--continue", "old"]) == Exit.FAILED
    assert "start again without it" in capsys.readouterr().err


def test_newest_last_and_by_phase(api: Api, capsys: Captured) -> None:
    api.items(RUNS, named("b", created=9), named("a", created=3), named("c", phase="Failed"))
    assert main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["c", "a", "b"]
    assert main(["list", "--phase", "Failed", "-o", "name"]) == 0
    assert capsys.readouterr().out == "agentworkflow.waypost.dev/c\n"


WIDE = (
    "NAME PHASE PROGRESS WAITING TOKENS COST AGE ROUND REASON TEMPLATE PARENT SCHEDULE BY DURATION"
)


def test_wide(api: Api, capsys: Captured) -> None:
    found = named("a")
    found["spec"] |= {"requestedBy": "ann"}
    found["status"] |= {"finishedAt": at(61)}
    api.items(RUNS, found)
    assert main(["list", "-o", "wide"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == WIDE.split()
    assert line.split()[7:] == ["1", "-", "-", "-", "-", "ann", "60.0s"]


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        pytest.param("{.items[*].name}", "a b", id="all"),
        pytest.param("{.items[0].phase}", "Waiting", id="index"),
        pytest.param("{.items[-1].name}", "b", id="last"),
        pytest.param(
            '{range .items[*]}{.name}={.progress}{"\\n"}{end}', "a=1/3\nb=1/3\n", id="range"
        ),
        pytest.param("{.items[7].name}", "", id="missing"),
        pytest.param("total {.items[0]['totalTokens']}.", "total 1290.", id="text-and-number"),
    ],
)
def test_jsonpath(api: Api, capsys: Captured, template: str, printed: str) -> None:
    api.items(RUNS, named("a"), named("b"))
    assert main(["list", "-o", f"jsonpath={template}"]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("argv", "printed"),
    [
        pytest.param(["-o", "xml"], "expected one of text, wide, json, yaml, name", id="format"),
        pytest.param(
            ["-o", "jsonpath={.items[?(@.a)]}"], "is no path of .key", id="filter-in-jsonpath"
        ),
        pytest.param(["-o", "jsonpath={end}"], "{end} without {range}", id="end"),
        pytest.param(["-A", "-n", "x"], "exclude each other", id="two-namespaces"),
        pytest.param(["-w", "-o", "json"], "--watch prints lines of text", id="watch-as-json"),
    ],
)
def test_wrong_options(api: Api, capsys: Captured, argv: list[str], printed: str) -> None:
    api.items(RUNS, named("a"))
    assert main(["list", *argv]) == Exit.USAGE
    assert printed in capsys.readouterr().err


def test_text_of_others_does_not_control_the_terminal(api: Api, capsys: Captured) -> None:
    found = named("a")
    found["status"]["waiting"] = "\x1b[31mred\u202e"
    api.items(RUNS, found)
    assert main(["list"]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_json(api: Api, capsys: Captured) -> None:
    api.items(RUNS, named("a"))
    assert main(["list", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["continue"] == ""
    assert document["items"][0]["name"] == "a"


def test_ten_thousand_runs(api: Api, capsys: Captured) -> None:
    """S391: of each page only the rows stay, and each run is listed once."""
    for at_ in range(20):
        names = [f"r{number}" for number in range(at_ * 500, at_ * 500 + 500)]
        token, then = (f"t{at_}" if at_ else ""), (f"t{at_ + 1}" if at_ < 19 else "")
        small = [{"metadata": {"name": name, "uid": name, "namespace": "here"}} for name in names]
        key = f"{RUNS}#{token}" if token else RUNS
        api.put(key, {"metadata": {"continue": then}, "items": small})
    assert main(["list", "-o", "name"]) == 0
    assert len(set(capsys.readouterr().out.split())) == 10_000
    assert [query["limit"] for _, query in api.asked] == [["500"]] * 20


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        pytest.param(["--phase", "Nope"], "expected one of Pending, Rejected", id="phase"),
        pytest.param(["-o", "jsonpath={.items"], "without a }", id="jsonpath"),
    ],
)
def test_a_typing_error_is_no_empty_list(
    api: Api, argv: list[str], words: str, capsys: Captured
) -> None:
    api.items(RUNS, named("a"))
    assert main(["list", *argv]) == Exit.USAGE
    assert words in capsys.readouterr().err


def test_a_phase_in_any_case(api: Api, capsys: Captured) -> None:
    api.items(RUNS, named("a", phase="Failed"))
    assert main(["list", "--phase", "failed", "-o", "name"]) == 0
    assert "/a" in capsys.readouterr().out
