"""`waypost send`, and what `waypost get` says of a node that waits for an event."""

from typing import Any

import pytest
from waypost.cli.app import main
from waypost.cli.errors import Exit

from tests.cli.conftest import Api
from tests.cli.runs import GROUP, NAMESPACE

Captured = pytest.CaptureFixture[str]
EVENTS = f"{GROUP}/namespaces/{NAMESPACE}/workflowevents"


def test_an_event_with_a_key(api: Api, capsys: Captured) -> None:
    command = ["send", "paid", "--key", "42", "--payload", '{"n": 1}', "--id", "pay-1"]
    assert main(command) == 0
    assert capsys.readouterr().out == f"pay-1 is sent in namespace {NAMESPACE}\n"
    (created,) = [body for path, body in api.created if path == EVENTS]
    assert created["metadata"] == {"name": "pay-1"}
    assert created["spec"] == {"name": "paid", "key": "42", "payload": {"n": 1}}


def test_an_event_for_a_run(api: Api, capsys: Captured, tmp_path: Any) -> None:
    (tmp_path / "p.json").write_text("[1]")
    command = ["send", "go", "--run", "order-9", "-p", f"@{tmp_path}/p.json", "--id", "go-1"]
    assert main([*command, "-o", "name"]) == 0
    assert capsys.readouterr().out == "workflowevent.waypost.dev/go-1\n"
    (created,) = [body for path, body in api.created if path == EVENTS]
    assert created["spec"] == {"name": "go", "workflow": "order-9", "payload": [1]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["paid"], "either --key or --run"),
        (["paid", "--key", "1", "--run", "x"], "either --key or --run"),
        (["two words", "--key", "1"], "name"),
        (["paid", "--key", "1", "-p", "{"], "expected JSON"),
        (["paid", "--key", "1", "-p", f'"{"x" * 17_000}"'], "the limit is 16384"),
        (["paid", "--key", "1", "-o", "xml"], "expected text or name"),
    ],
)
def test_what_is_refused_before_it_is_sent(
    api: Api, capsys: Captured, arguments: list[str], says: str
) -> None:
    assert main(["send", *arguments]) == Exit.USAGE
    assert says in capsys.readouterr().err
    assert api.created == []
