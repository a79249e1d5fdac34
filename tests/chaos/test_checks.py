"""Each check of a history finds what is wrong in it, and nothing where all is well."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from e2e.bench.audit import Request
from e2e.chaos.checks import CHECKS, violations
from e2e.chaos.evidence import Evidence
from e2e.chaos.history import History, Seen

Obj = dict[str, Any]
DIGEST = "sha256:aa"
GATE = {"name": "gate", "approval": {"message": "?"}}
WORK = {"name": "work", "python": {}, "dependsOn": ["gate"]}


@dataclass
class Story:
    """Builds a history: each call adds the next version in etcd."""

    history: History = field(default_factory=History)
    starts: list[Obj] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def see(self, kind: str, uid: str, *, deleted: bool = False, **body: Any) -> "Story":
        metadata = {"name": uid, "uid": uid, "resourceVersion": str(len(self.history.seen) + 1)}
        metadata |= body.pop("metadata", {})
        known = any(s.body["metadata"]["uid"] == uid for s in self.history.seen)
        type_ = "DELETED" if deleted else "MODIFIED" if known else "ADDED"
        self.history.seen.append(Seen(kind, type_, {"metadata": metadata, **body}))
        return self

    def run(self, *nodes: Obj, **status: Any) -> "Story":
        spec = {"nodes": [GATE, WORK]}
        return self.see("agentworkflows", "r", spec=spec, status={"nodes": list(nodes), **status})

    def answer(self, decision: str) -> "Story":
        return self.see("approvals", "ap", metadata=labels("gate"), spec={"decision": decision})

    def job(self, attempt: int = 1, uid: str = "") -> "Story":
        return self.see("jobs", uid or f"job-{attempt}", metadata=labels("work", attempt))

    def pod(self, attempt: int = 1, *, record: Obj | None = None, **more: Any) -> "Story":
        uid = more.pop("uid", f"pod-{attempt}")
        state: Obj = {"running": {}}
        if more.pop("ended", record is not None):
            written = {"attempt": attempt, "podUID": uid, **record} if record else None
            state = {"terminated": {"message": json.dumps(written) if written else ""}}
        status = {"containerStatuses": [{"name": "node", "state": state}]}
        spec = {"nodeName": more.pop("machine", "one")}
        return self.see("pods", uid, metadata=labels("work", attempt), spec=spec, status=status)

    def start(self, attempt: int = 1, key: str = "k") -> "Story":
        entry = {"run": "r", "path": "work", "what": "start", "attempt": attempt, "key": key}
        self.starts.append(entry)
        return self

    def machine(self, name: str, ready: str) -> "Story":
        conditions = [{"type": "Ready", "status": ready}]
        return self.see("nodes", name, status={"conditions": conditions})

    def found(self) -> list[str]:
        return violations(Evidence(self.history, self.starts, self.requests))


def labels(node: str, attempt: int = 0) -> Obj:
    number = {"waypost.dev/attempt": str(attempt)} if attempt else {}
    return {"labels": {"waypost.dev/run": "r", "waypost.dev/node": node, **number}}


def checkpoint(attempt: int = 1, **changed: Any) -> Obj:
    """Of node `work`, which has succeeded."""
    last = {"number": attempt, "reason": "Succeeded", "podUid": f"pod-{attempt}"}
    attempts = [{"number": n, "reason": "Disrupted"} for n in range(1, attempt)] + [last]
    found = {"path": "work", "phase": "Succeeded", "attempt": attempt, "attempts": attempts}
    return {**found, "outputDigest": DIGEST, **changed}


SUCCEEDED = {"outcome": "Succeeded", "digest": DIGEST}
PASSED = {"path": "gate", "phase": "Succeeded"}


def reported() -> Story:
    """A run that went well: gate answered, first attempt disrupted, second succeeded."""
    story = Story().machine("one", "True").run().answer("Approved")
    story.run(PASSED, {"path": "work", "phase": "Running", "attempt": 1})
    story.job(1).pod(1).start(1).pod(1, ended=True)
    story.run(PASSED, {"path": "work", "phase": "Running", "attempt": 2})
    story.job(2).pod(2).start(2).pod(2, record=SUCCEEDED)
    return story.run(PASSED, checkpoint(2), finishedAt="now")


def test_history_without_fault_has_no_violation() -> None:
    assert reported().found() == []


def lost_machine() -> Story:
    """The pod on a machine that is gone is no second one."""
    story = Story().run().answer("Approved").machine("two", "True")
    story.job(1).pod(1, machine="two").machine("two", "Unknown").job(2).pod(2)
    story.pod(2, record=SUCCEEDED)
    return story.run(PASSED, checkpoint(2))


def timed_out() -> Story:
    """A record that came after the attempt was over counts for nothing."""
    story = Story().run().answer("Approved").job(1).pod(1, record=SUCCEEDED)
    over = checkpoint(1, phase="Failed", outputDigest=None)
    over["attempts"] = [{"number": 1, "reason": "Timeout"}]
    return story.run(PASSED, over)


def new_round() -> Story:
    """A person lets a finished run go on; what it then does is another round's."""
    story = reported().run(PASSED, {"path": "work", "phase": "Pending", "attempt": 2}, round=2)
    story.run(PASSED, {"path": "work", "phase": "Running", "attempt": 3}, round=2)
    story.job(3).pod(3).start(3).pod(3, record={**SUCCEEDED, "round": 2})
    return story.run(PASSED, checkpoint(3), round=2, finishedAt="later")


@pytest.mark.parametrize("story", [lost_machine, timed_out, new_round])
def test_what_looks_wrong_and_is_not(story: Callable[[], Story]) -> None:
    assert story().found() == []


def request(name: str) -> Request:
    return Request("op", "create", "jobs", "ns", name, 201, 0.0, 0.0)


def ends_again() -> Story:
    return reported().run(PASSED, checkpoint(2, outputDigest="sha256:bb"), finishedAt="now")


def side_by_side() -> Story:
    story = Story().run().answer("Approved").job(1).pod(1).job(2).pod(2)
    return story.run(PASSED, checkpoint(2))


def gap_in_the_numbers() -> Story:
    story = Story().run().answer("Approved").job(2).pod(2, record=SUCCEEDED)
    return story.run(PASSED, checkpoint(2))


def attempt_status_never_named() -> Story:
    return told_before_the_end().job(3)


def told_before_the_end() -> Story:
    story = Story().run().answer("Approved").job(1).job(2).pod(2, record=SUCCEEDED)
    return story.run(PASSED, checkpoint(2))


def attempt_with_two_jobs() -> Story:
    return told_before_the_end().job(2, uid="again")


def job_made_twice() -> Story:
    story = reported()
    story.requests += [request("work-1"), request("work-1")]
    return story


def result_forgotten() -> Story:
    story = Story().run().answer("Approved").job(1).pod(1, record=SUCCEEDED).job(2)
    return story.run(PASSED, checkpoint(2, outputDigest="sha256:bb"))


def run_after_success() -> Story:
    story = told_before_the_end()
    return story.start(3)


def succeeds_twice() -> Story:
    story = Story().run().answer("Approved").job(1).pod(1, record=SUCCEEDED)
    return story.job(2).pod(2, record=SUCCEEDED).run(PASSED, checkpoint(2))


def job_before_the_yes() -> Story:
    story = Story().run().job(1).answer("Approved").pod(1, record=SUCCEEDED)
    return story.run(PASSED, checkpoint(1))


def job_after_a_no() -> Story:
    return Story().run(checkpoint(1)).answer("Denied").job(1)


def record_of_another_pod() -> Story:
    story = Story().run().answer("Approved").job(1).pod(1, record=SUCCEEDED)
    taken = checkpoint(1)
    taken["attempts"][-1]["podUid"] = "somebody-elses"
    return story.run(PASSED, taken)


def job_after_the_end() -> Story:
    return reported().job(3)


def run_goes_on() -> Story:
    return reported().run(PASSED, checkpoint(2))


FAULTS: dict[str, tuple[Callable[[], Story], str]] = {
    "a-checkpoint-changes": (ends_again, "I1"),
    "two-pods-at-once": (side_by_side, "I2"),
    "a-number-is-left-out": (gap_in_the_numbers, "I3"),
    "a-job-that-no-status-names": (attempt_status_never_named, "I3"),
    "two-jobs-of-one-attempt": (attempt_with_two_jobs, "I3"),
    "a-name-is-used-twice": (job_made_twice, "I3 by audit"),
    "a-program-starts-twice": (lambda: reported().start(2), "I3 by ledger"),
    "the-key-changes": (lambda: told_before_the_end().start(1).start(2, "l"), "I3 by ledger"),
    "a-result-is-lost": (result_forgotten, "I4"),
    "it-runs-after-success": (run_after_success, "I4"),
    "it-succeeds-twice": (succeeds_twice, "I4"),
    "a-job-before-the-yes": (job_before_the_yes, "I8"),
    "a-job-after-a-no": (job_after_a_no, "I8"),
    "a-foreign-record": (record_of_another_pod, "I14"),
    "a-job-after-the-end": (job_after_the_end, "I10"),
    "a-finished-run-goes-on": (run_goes_on, "I10"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found_by_the_check_of_its_invariant(name: str) -> None:
    story, invariant = FAULTS[name]
    found = {sentence.partition(": ")[0] for sentence in story().found()}
    assert invariant in found


def test_every_check_is_shown_to_find_something() -> None:
    assert {invariant for _, invariant in FAULTS.values()} == set(CHECKS)


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        pytest.param("scheduledAt", True, id="a-field-that-the-earlier-release-does-not-have"),
        pytest.param("preparedAt", True, id="another-one"),
        pytest.param("startedAt", False, id="a-field-that-it-has"),
    ],
)
def test_an_operator_of_an_earlier_release_may_drop_what_it_does_not_know(
    field: str, kept: bool
) -> None:
    """It leads again for a moment during an upgrade, and writes the status as it reads it."""
    plain = checkpoint()
    [attempt] = plain["attempts"]
    richer = {**plain, "attempts": [{**attempt, field: "12:00"}]}
    found = Story().run(PASSED, richer).run(PASSED, plain).found()
    assert any(sentence.startswith("I1:") for sentence in found) is not kept
