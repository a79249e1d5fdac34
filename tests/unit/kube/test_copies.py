"""Which pods with the labels of an attempt are of it (S240): copies are not."""

from datetime import timedelta
from typing import Any

import pytest
from waypost.kube.facts.copies import is_of, own_pods
from waypost.kube.facts.pods import PodFact, pod_fact

from tests.support.builders import NOW, after, job_of, pod
from tests.unit.kube.test_facts import body

JOB = job_of("a")
LONG = "a-run-with-a-name-so-long-that-the-name-of-its-job-is-cut-1-abc"  # 63 characters
ORIGINAL = pod("a", uid="original", name=f"{JOB}-4x7qz", created_at=after(1))


def copy(uid: str = "copy", **fields: Any) -> PodFact:
    """A copy that has everything of its original but what the API server sets."""
    changes = {"name": f"{JOB}-zzzzz", "created_at": after(9), "owned_by": "", **fields}
    return pod("a", uid=uid, **changes)


ROWS = [
    pytest.param([ORIGINAL], ["original"], id="the-pod-of-the-job"),
    pytest.param([copy(owned_by="ReplicaSet/web"), ORIGINAL], ["original"], id="of-a-replica-set"),
    pytest.param([copy(owned_by="ReplicaSet/web")], [], id="of-a-replica-set-alone"),
    pytest.param([copy(owned_by=f"Job/{job_of('a', 2)}")], [], id="of-another-attempt"),
    pytest.param([copy(owned_by="Job/nightly")], [], id="of-a-job-of-others"),
    pytest.param([copy(owned_by=f"CronJob/{JOB}")], [], id="of-another-kind-with-its-name"),
    pytest.param([copy(), ORIGINAL], ["original"], id="without-controller-younger"),
    pytest.param([copy(name="debugger"), ORIGINAL], ["original"], id="named-by-a-person"),
    pytest.param([copy(name="debugger")], [], id="named-by-a-person-alone"),
    pytest.param([copy(name=f"copy-of-{JOB}-4x7qz")], [], id="named-after-the-pod"),
    pytest.param(
        [copy(name="debugger", owned_by=f"Job/{JOB}"), ORIGINAL], ["original"], id="adopted"
    ),
    pytest.param([copy("left")], ["left"], id="left-by-a-deleted-job"),
    pytest.param([copy("left"), copy(created_at=after(60))], ["left"], id="copy-of-what-was-left"),
    pytest.param(
        [copy("left", created_at=after(0)), ORIGINAL],
        ["left", "original"],
        id="left-by-the-job-before",
    ),
    pytest.param(
        [copy(created_at=after(1)), ORIGINAL], ["original"], id="copied-in-the-same-second"
    ),
    pytest.param(
        [copy("left", created_at=after(1)), copy("other", created_at=after(1))],
        ["left", "other"],
        id="same-second-both-without-controller",
    ),
    pytest.param([copy(created_at=after(-61))], [], id="older-than-the-launch"),
    pytest.param([copy("left", created_at=after(-59))], ["left"], id="clocks-that-differ"),
    pytest.param([copy("left", created_at=None)], ["left"], id="time-not-known"),
    pytest.param([], [], id="none"),
]


@pytest.mark.parametrize(("pods", "expected"), ROWS)
def test_s240_the_pods_of_an_attempt(pods: list[PodFact], expected: list[str]) -> None:
    for ordered in (pods, pods[::-1]):
        found = own_pods(ordered, job=JOB, launched_at=NOW)
        assert sorted(pod.uid for pod in found) == expected


def test_s240_without_a_known_launch_age_alone_decides() -> None:
    old = copy("left", created_at=NOW - timedelta(days=2))
    assert own_pods([old], job=JOB) == [old]


@pytest.mark.parametrize(
    ("job", "name"),
    [
        pytest.param("short", "short-4x7qz", id="short"),
        pytest.param(LONG, f"{LONG[:58]}4x7qz", id="cut-by-the-api-server"),
        pytest.param(LONG[:57], f"{LONG[:57]}-4x7qz", id="fits-just"),
        pytest.param(LONG[:58], f"{LONG[:58]}4x7qz", id="hyphen-cut"),
    ],
)
def test_s240_names_that_the_api_server_generates(job: str, name: str) -> None:
    assert len(name) <= 63
    assert is_of(pod("a", name=name, owned_by=f"Job/{job}"), job)


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        pytest.param(None, "", id="none"),
        pytest.param([{"kind": "Job", "name": "j", "uid": "u"}], "", id="owner-but-no-controller"),
        pytest.param([{"kind": "Job", "name": "j", "controller": True}], "Job/j", id="controller"),
        pytest.param(
            [{"kind": "A", "name": "a"}, {"kind": "Job", "name": "j", "controller": True}],
            "Job/j",
            id="second-owner",
        ),
        pytest.param([{"kind": 7, "controller": True}], "/", id="malformed"),
        pytest.param(["Job"], "", id="no-object"),
        pytest.param("Job", "", id="no-list"),
    ],
)
def test_the_controller_of_a_pod(owners: Any, expected: str) -> None:
    fact = pod_fact(body(ownerReferences=owners, creationTimestamp="2026-03-01T12:00:00Z"))
    assert fact is not None
    assert (fact.owned_by, fact.created_at) == (expected, NOW)
