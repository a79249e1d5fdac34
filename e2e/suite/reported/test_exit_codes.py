"""Some exit codes are tried again and others are not, and a later node reads the code (S49)."""

from e2e.suite.build import Workflow, workflow
from e2e.suite.space import Space, node_of

RETRY = {"limit": 2, "reasons": ["NodeError"], "backoff": {"initial": "1s"}}


def exits(name: str, image: str, code: int, **codes: list[int]) -> Workflow:
    """A program that ends with `code`, and a node that reads it."""
    return (
        workflow(name)
        .container(
            "sync",
            image,
            f"raise SystemExit({code})",
            onFailure="Continue",
            retry={**RETRY, "exitCodes": codes},
        )
        .python("branch", "return code", inputs={"code": "${nodes.sync.error.?exitCode}"})
    )


def test_an_exit_code_decides_whether_a_program_is_tried_again(space: Space, runner: str) -> None:
    bad = space.start(exits("bad-configuration", runner, 78, fail=[78]))
    busy = space.start(exits("try-later", runner, 75, retry=[75]))
    other = space.start(exits("not-listed", runner, 1, retry=[75]))
    for run, code, attempts in ((bad, 78, 1), (busy, 75, 3), (other, 1, 1)):
        found = run.succeeded()
        sync = node_of(found, "sync")
        assert (sync["phase"], sync["reason"], sync["attempt"]) == ("Failed", "NodeError", attempts)
        assert node_of(found, "branch")["output"] == code
