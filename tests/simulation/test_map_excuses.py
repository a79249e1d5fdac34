"""Maps of which a status says less than everything: what the checkers excuse is excused, and
nothing else (as in `test_excuses.py`)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from waypost.engine.attempts import close, judge, retries
from waypost.engine.items import begin, finish
from waypost.engine.state.outcome import Failed
from waypost.engine.state.transition import Transition
from waypost.kube.items import identity
from waypost.kube.items.open_map import OpenMap
from waypost.protocol.reasons import Reason

from tests.simulation.play.stage import play
from tests.simulation.scenario.plan import Act, Node, Round, Scenario, Trouble
from tests.simulation.test_excuses import broken

# A policy refuses the NodeRecord with the last states. Every third item fails.
UNSEALED = Scenario(
    seed=804508,
    nodes=(
        Node(
            "n0",
            "container",
            values=(4, 3, 2, 1),
            item_acts=((Act("gives", 120),), (Act("gives", 299),), (Act("fails", 78),)),
            max_parallel=1,
            tolerate=2,
            collects=False,
        ),
    ),
    troubles=(Trouble("refuse", at=4.0, seconds=100.0, number=1, choice="policy records"),),
)
UNSEALED_LIST = replace(UNSEALED, nodes=(replace(UNSEALED.nodes[0], collects=True),))

# A round supersedes items while the API server fails, and they end after a time as long as the
# deadline of their map, which begins when the map starts again.
SUPERSEDED = Scenario(
    seed=3005228,
    parallelism=2,
    latency=0.3,
    deadline=150.0,
    deliveries=("immediate", "immediate", "rough"),
    nodes=(
        Node(
            "n0",
            "python",
            pauses=True,
            schema=True,
            limit=2,
            backoff=2.0,
            timeout=20.0,
            deadline=60.0,
            acts=(Act("hangs", 194, seconds=4),),
            values=(0, 1, 2, 5, 3, 3, 2, 0),
            item_acts=(
                (Act("gives", 349, seconds=1.0), Act("gives", 416, seconds=1.0)),
                (Act("gives", 164, seconds=1.0),),
                (Act("gives", 542, seconds=1.0), Act("gives", 653, seconds=1.0)),
                (Act("gives", 380, seconds=1.0), Act("gives", 980, seconds=1.0)),
                (Act("gives", 258, seconds=1.0), Act("gives", 448, seconds=1.0)),
                (Act("gives", 880, seconds=1.0), Act("gives", 578, seconds=1.0)),
            ),
        ),
    ),
    troubles=(Trouble("faults", at=0.02, seconds=121.4, number=47),),
    rounds=(Round("begun", 60.0, edit="n0", lists=(("n0", (1, 2, 5, 5)),)),),
)

# An item is launched for the last time when others have failed its map: no status says how that
# attempt ended.
DOOMED = Scenario(
    seed=805929,
    parallelism=3,
    deliveries=("rough", "delayed", "immediate"),
    nodes=(
        Node(
            "n0",
            "http",
            tolerated=True,
            limit=2,
            timeout=18.0,
            queue_timeout=60.0,
            acts=(Act("initless"),),
            values=(0, 2, 2),
            item_acts=(
                (Act("initless", 672),),
                (Act("gives", 316),),
                (Act("hangs", 995, seconds=4), Act("initless", 483)),
            ),
            max_parallel=3,
        ),
    ),
)


# The program of the first item fails while a cancel stops it. It would be repeated.
FAILS_WHILE_STOPPED = Scenario(
    seed=3,
    nodes=(
        Node(
            "n0",
            "python",
            limit=2,
            values=(1, 2),
            item_acts=((Act("fails", 5),),),
            max_parallel=1,
        ),
    ),
    troubles=(Trouble("cancel", at=2.0),),
)

# The Job of the first item is made again by an operator that was frozen, and both programs succeed.
# Then a person adds an item.
RELAUNCHED = Scenario(
    seed=1,
    nodes=(
        Node(
            "n0",
            "container",
            values=(1, 1),
            item_acts=((Act("gives", 5, seconds=4.0),),),
            max_parallel=1,
        ),
    ),
    troubles=(
        Trouble("freeze_fence", number=1, seconds=2.0),
        Trouble("delete_job", number=1, choice="Orphan"),
    ),
    rounds=(Round("ended", 5.0, lists=(("n0", (1, 1, 1)),)),),
)


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(UNSEALED, id="counts"), pytest.param(UNSEALED_LIST, id="a list of outputs")],
)
def test_a_map_may_end_without_its_states(scenario: Scenario) -> None:
    violations, seen = play(scenario)
    assert violations == []
    entry = seen.nodes["n0"]
    assert entry["phase"] == "Succeeded"
    assert "sealed" not in entry["items"]
    assert (entry["items"]["succeeded"], entry["items"]["failed"]) == (3, 1)


def test_a_map_without_its_states_is_noticed_if_nobody_refused_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(finish, "_seal", lambda transition, opened: "")
    assert "VM4" in broken(replace(UNSEALED, troubles=()))


@pytest.mark.parametrize(
    ("scenario", "output"),
    [
        pytest.param(UNSEALED, {"total": 4, "succeeded": 4, "failed": 0}, id="counts"),
        pytest.param(UNSEALED_LIST, [None, {"n": 1}, {"n": 2}, {"n": 3}], id="other outputs"),
        pytest.param(UNSEALED_LIST, [None], id="a shorter list"),
    ],
)
def test_a_wrong_output_of_such_a_map_is_noticed(
    scenario: Scenario, output: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finish, "_output", lambda transition, opened: output)
    assert "VM4" in broken(scenario)


def test_wrong_counts_of_such_a_map_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_good(transition: Transition, opened: OpenMap) -> Any:
        opened.count = lambda letters: 4 if letters == finish._SUCCEEDED else 0  # type: ignore[method-assign]
        return {"total": 4, "succeeded": 4, "failed": 0}

    monkeypatch.setattr(finish, "_output", all_good)
    assert "VM4" in broken(UNSEALED)


def test_an_attempt_of_an_item_that_was_doomed_has_no_reason() -> None:
    violations, seen = play(DOOMED)
    assert violations == []
    assert "" in {story.reason for story in seen.attempts.values()}


def test_a_program_that_never_started_and_has_another_reason_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = judge.judge_pod

    def otherwise(*args: Any, **kwargs: Any) -> Any:
        outcome = plain(*args, **kwargs)
        if isinstance(outcome, Failed) and outcome.reason == Reason.POD_REJECTED:
            return replace(outcome, reason=Reason.IMAGE_PULL)
        return outcome

    monkeypatch.setattr(close, "judge_pod", otherwise)
    assert "K2" in broken(DOOMED)


def test_an_attempt_may_fail_while_it_is_stopped_if_its_next_one_is_cancelled() -> None:
    violations, seen = play(FAILS_WHILE_STOPPED)
    assert violations == []
    assert seen.attempts["n0/0", 1].reason == "Cancelled"
    [pod] = seen.pods_of("n0/0", 1)
    assert "NodeError" in pod.reported["message"]


def test_a_failure_that_nothing_follows_is_not_excused(monkeypatch: pytest.MonkeyPatch) -> None:
    again = retries.Again(timedelta(seconds=1), retries.RetryClass.USER, 1)
    monkeypatch.setattr(retries, "after_failure", lambda **_: again)
    [node] = FAILS_WHILE_STOPPED.nodes
    assert "T11" in broken(replace(FAILS_WHILE_STOPPED, nodes=(replace(node, limit=0),)))


def test_a_program_of_a_job_that_is_made_again_is_no_second_success_of_its_item() -> None:
    violations, seen = play(RELAUNCHED)
    assert violations == []
    assert len(seen.relaunched) == 1
    assert len(seen.pods_of("n0/0", 1)) == 2


def test_an_item_that_succeeded_and_runs_again_is_noticed_beside_such_a_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = identity.identities
    monkeypatch.setattr(
        begin, "identities", lambda contents: [f"{len(contents)} {key}" for key in found(contents)]
    )
    assert "VM7" in broken(RELAUNCHED)


def test_s55_a_deadline_begins_when_what_a_round_superseded_has_ended() -> None:
    violations, seen = play(SUPERSEDED)
    assert violations == []
    assert any("Superseding" in line for line in seen.story)
