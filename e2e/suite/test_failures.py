"""A node that fails: retries with backoff, then a run that says why and keeps what it had."""

import itertools
from datetime import datetime

from e2e.suite.build import Obj, workflow
from e2e.suite.ledger import Ledger
from e2e.suite.space import Space, condition, node_of, phases

FLAKY = """
def run():
    print("about to break")
    raise ConnectionError(f"attempt {os.environ['WAYPOST_ATTEMPT']} refused")
"""


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_failing_node_retries_with_backoff_then_fails_with_class_message_and_tail(
    space: Space, ledger: Ledger
) -> None:
    run = space.start(
        workflow("flaky")
        .having(defaults={"retry": {"limit": 2, "backoff": {"initial": "1s", "factor": 2}}})
        .python("boom", ledger.counted(FLAKY))
        .python("sibling", "return 'kept'")
        .python("after", "return 1", dependsOn=["boom"])
    )
    assert run.reaches("boom", "Backoff")["reason"] == "NodeError", "the reason shows meanwhile"
    seen = run.finished()
    boom = node_of(seen, "boom")
    assert (boom["phase"], boom["reason"], boom["retries"]) == ("Failed", "NodeError", 2)
    assert "ConnectionError: attempt 3 refused" in boom["message"]
    assert "raise ConnectionError" in boom["tail"], "the end of the traceback, in user code"
    assert waits(boom) >= [1.0, 2.0]
    assert ledger.starts(run.uid) == {"boom": 3}
    assert {e["key"] for e in ledger.entries(run.uid)} == {ledger.entries(run.uid)[0]["key"]}
    assert node_of(seen, "sibling")["output"] == "kept"
    assert phases(seen)["after"] == "Skipped"
    failed = condition(seen, "Succeeded")
    assert (failed["status"], failed["reason"]) == ("False", "NodeError")
    assert "boom" in failed["message"]


def waits(node: Obj) -> list[float]:
    """Seconds from the end of each attempt to the launch of the next."""
    attempts = node["attempts"]
    pairs = itertools.pairwise(attempts)
    return [seconds(b["launchedAt"]) - seconds(a["finishedAt"]) for a, b in pairs]


def test_foreign_program_that_fails_shows_its_exit_code_and_the_end_of_its_log(
    space: Space, runner: str
) -> None:
    script = "import sys\nprint('connecting to db-7')\nsys.exit('db-7 is read-only')"
    run = space.start(workflow("exit-code").container("migrate", runner, script))
    failed = node_of(run.finished(), "migrate")
    assert failed["reason"] == "NodeError"
    assert "exit code 1" in failed["message"]
    assert "connecting to db-7" in failed["tail"]
    assert "db-7 is read-only" in failed["tail"]


def test_program_that_needs_more_memory_than_allowed_says_so(space: Space) -> None:
    block = {"resources": {"limits": {"memory": "48Mi"}}}
    hungry = "x = bytearray(200 * 1024 * 1024)\nreturn len(x)"
    run = space.start(workflow("hungry").python("eat", hungry, kind=block))
    eaten = node_of(run.finished(), "eat")
    assert eaten["reason"] == "OutOfMemory"
    assert "limits.memory" in eaten["message"]


def test_effect_once_is_not_repeated_after_a_failure(space: Space, ledger: Ledger) -> None:
    pay = ledger.counted("def run():\n    raise OSError('broken pipe')\n")
    again = {"retry": {"limit": 3, "backoff": {"initial": "1s"}}}
    run = space.start(workflow("once").having(defaults=again).python("pay", pay, effect="once"))
    assert node_of(run.finished(), "pay")["reason"] == "NodeError"
    assert ledger.starts(run.uid) == {"pay": 1}
