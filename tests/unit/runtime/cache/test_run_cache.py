"""The cache: newest wins, echoes are known, what is gone is gone."""

import json
from datetime import timedelta
from typing import Any

import pytest
from waypost.runtime.cache import parsed
from waypost.runtime.cache.newest import version_of
from waypost.runtime.cache.parsed import ParsedBodies, RunBody, RunText, text_of
from waypost.runtime.cache.runs import Key, RunCache
from waypost.telemetry.signals import Signals

from tests.support.builders import NOW, RUN_UID, approval, pod

KEY = Key("team", "brief", RUN_UID)


def run(version: Any = "5", **fields: Any) -> dict[str, Any]:
    metadata = {"namespace": "team", "name": "brief", "uid": RUN_UID, "resourceVersion": version}
    return {"metadata": {**metadata, "managedFields": [1]}, "spec": {}, **fields}


def names(store: RunCache, kind: str) -> set[str]:
    return set(getattr(store.entry(RUN_UID), kind))


def test_newest_state_of_a_run_wins() -> None:
    store = RunCache()
    assert store.put_run(run("5", status={"n": 5}))
    assert not store.put_run(run("5", status={"n": 5})), "an echo is no news"
    assert not store.put_run(run("4", status={"n": 4})), "an old state is none either"
    assert (store.run_body(KEY) or {})["status"] == {"n": 5}
    assert store.put_run(run("10", status={"n": 10})), "numbers, not texts"
    assert (store.run_body(KEY) or {})["status"] == {"n": 10}
    assert len(store) == 1


ENDED = {"finishedAt": "2026-03-01T12:00:00Z", "observedGeneration": 2}


@pytest.mark.parametrize(
    ("metadata", "status", "ended"),
    [
        pytest.param({}, ENDED, True, id="ended"),
        pytest.param({}, {"observedGeneration": 2}, False, id="under-way"),
        pytest.param({"generation": 3}, ENDED, False, id="changed-since"),
        pytest.param({"deletionTimestamp": "2026-03-01T12:00:01Z"}, ENDED, False, id="deleted"),
    ],
)
def test_a_run_that_has_ended_and_is_not_asked_for_more(
    metadata: dict[str, Any], status: dict[str, Any], ended: bool
) -> None:
    store = RunCache()
    body = run(status=status)
    body["metadata"] |= {"generation": 2, **metadata}
    store.put_run(body)
    assert store.has_ended(RUN_UID) == ended
    store.drop_run(RUN_UID)
    assert not store.has_ended(RUN_UID)


def test_a_body_is_parsed_once_and_has_no_managed_fields() -> None:
    store = RunCache()
    store.put_run(run())
    first = store.run_body(KEY)
    assert first is not None
    assert "managedFields" not in first["metadata"]
    assert store.run_body(KEY) is first, "World checks that nobody changes it"
    store.put_run(run("6", spec={"x": 1}))
    assert (store.run_body(KEY) or {})["spec"] == {"x": 1}


def test_what_the_operator_has_written_is_not_parsed_and_what_it_received_is_not_kept() -> None:
    store, own, received = RunCache(), run("5"), run("6")
    store.put_run(own, own=True)
    assert (store.run_body(KEY) or {})["spec"] is own["spec"]
    store.put_run(received)
    received["spec"]["x"] = 1
    assert (store.run_body(KEY) or {})["spec"] == {}, "a watch event is the watch's"


def test_a_name_that_another_run_took_has_its_body() -> None:
    store, other = RunCache(), run("5", spec={"x": 1})
    store.put_run(run("9"), own=True)
    other["metadata"]["namespace"] = "theirs"
    store.put_run(other)
    found = store.run_body(Key("theirs", "brief", RUN_UID))
    assert (found or {})["spec"] == {"x": 1}


def test_s801_few_bodies_are_kept_parsed() -> None:
    kept_values = ParsedBodies()
    bodies = {f"uid-{at}": RunBody({"kind": at}, None) for at in range(300)}
    first = [kept_values.of(uid, body) for uid, body in bodies.items()]
    again = [kept_values.of(uid, body) for uid, body in reversed(bodies.items())]
    kept = sum(one is other for one, other in zip(reversed(first), again, strict=True))
    assert 50 <= kept <= 150
    huge = RunBody({"kind": "x", "spec": "x" * 5 * 1024 * 1024}, None)
    before = kept_values.of("huge", huge)
    assert kept_values.of("huge", huge) is before, "one is always kept"
    assert kept_values.of("small", bodies["uid-0"]) == {"spec": None, "kind": 0}
    assert kept_values.of("huge", huge) is not before


def large(version: int, *, entries: int = 40) -> dict[str, Any]:
    nodes = [{"path": f"n{at}", "message": "x" * 1000} for at in range(entries)]
    return run(str(version), status={"version": version, "nodes": nodes})


def test_s801_a_large_run_is_written_as_json_after_some_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its value is what the next pass reads; the JSON is for when it is idle."""
    written: list[str] = []

    def counted(body: dict[str, Any], before: RunText | None) -> RunText:
        written.append(body["metadata"]["resourceVersion"])
        return text_of(body, before)

    monkeypatch.setattr(parsed, "text_of", counted)
    store = RunCache()
    for version in range(1, 20):
        assert store.put_run(large(version), own=True)
        assert (store.run_body(KEY) or {})["status"]["version"] == version
        assert store.size(RUN_UID) > 40_000
    assert written == ["1", "9", "17"]
    assert json.loads(store.text(RUN_UID))["status"]["version"] == 19, (
        "who asks for it gets the newest"
    )
    assert written[-1] == "19"


def test_s801_an_answer_that_the_watch_was_faster_than_is_not_parsed_again() -> None:
    store, answer = RunCache(), large(1)
    assert store.put_run(large(1))
    assert not store.put_run(answer, own=True)
    assert (store.run_body(KEY) or {})["status"] is answer["status"]
    assert not store.put_run(large(0), own=True), "an older one is not taken"
    assert (store.run_body(KEY) or {})["status"] is answer["status"]


def test_s801_an_idle_run_is_json_alone() -> None:
    store = RunCache()
    assert store.put_run(large(1), own=True)
    assert store.put_run(large(2), own=True)
    for at in range(100):
        other = run("1", status={})
        other["metadata"] |= {"uid": f"uid-{at}", "name": f"other-{at}"}
        assert store.put_run(other, own=True)
    body = store.entry(RUN_UID).body
    assert body is not None
    assert body._value is None
    assert (store.run_body(KEY) or {})["status"]["version"] == 2


def test_the_spec_is_written_as_json_once_for_each_generation() -> None:
    def text(generation: object, spec: object, before: RunText | None) -> RunText:
        return text_of({"metadata": {"generation": generation}, "spec": spec}, before)

    first = text(1, {"a": [1, "ä"]}, None)
    assert json.loads(first.join()) == {"metadata": {"generation": 1}, "spec": {"a": [1, "ä"]}}
    assert len(first) == len(first.join())
    assert text(1, {"a": [1, "ä"]}, first).spec is first.spec
    assert json.loads(text(2, {"a": 2}, first).join())["spec"] == {"a": 2}
    unknown = text(None, {"a": 1}, None)
    assert json.loads(text(None, {"a": 2}, unknown).join())["spec"] == {"a": 2}


@pytest.mark.parametrize("version", [None, "", "abc", 7, {}])
def test_odd_versions_count_as_old(version: Any) -> None:
    assert version_of(run(version)) == 0
    store = RunCache()
    assert store.put_run(run(version)), "better than nothing"
    assert store.put_run(run("1")), "and replaced by anything"


NEWS = [
    pytest.param({}, {}, False, id="the same"),
    pytest.param({}, {"phase": "Running"}, True, id="it runs"),
    pytest.param({}, {"waiting_reason": "ErrImagePull"}, True, id="why it waits"),
    pytest.param({"terminated": True}, {"held": False}, False, id="released"),
    pytest.param(
        {"terminated": True}, {"held": False, "phase": "Succeeded"}, False, id="and its phase"
    ),
    pytest.param(
        {"terminated": True, "held": False}, {"phase": "Succeeded"}, False, id="its phase alone"
    ),
    pytest.param({"terminated": True}, {"phase": "Succeeded"}, True, id="not released yet"),
    pytest.param({"terminated": True}, {"held": False, "deleting": True}, True, id="deleted"),
    pytest.param({"terminated": True}, {"held": False, "exit_code": 1}, True, id="how it ended"),
    pytest.param({}, {"held": False}, True, id="released while it may run"),
    pytest.param(
        {"terminated": True, "has_others": True, "held": False},
        {"phase": "Succeeded"},
        True,
        id="its other containers have ended",
    ),
]


@pytest.mark.parametrize(("before", "change", "is_news"), NEWS)
def test_s636_what_changes_no_decision_is_no_news(
    before: dict[str, Any], change: dict[str, Any], is_news: bool
) -> None:
    store = RunCache()
    assert store.put_pod(pod("a", **before), 1)
    assert store.put_pod(pod("a", **{**before, **change}), 2) is is_news
    (known,) = store.entry(RUN_UID).pods.values()
    assert known == pod("a", **{**before, **change}), "it is kept all the same"


def test_newest_state_of_children_wins() -> None:
    store = RunCache()
    assert store.put_pod(pod("a", phase="Running"), 5)
    assert not store.put_pod(pod("a"), 5)
    assert not store.put_pod(pod("a"), 4)
    assert store.entry(RUN_UID).pods["pod-a-1"].phase == "Running"
    assert store.put_approval(approval(state="Approved"), RUN_UID, 5, now=NOW)
    assert not store.put_approval(approval(), RUN_UID, 4, now=NOW)
    assert store.entry(RUN_UID).approvals["ap"].status.state == "Approved"


def test_s60_the_time_of_a_deletion_outlives_the_kubelets_last_delete() -> None:
    store = RunCache()
    store.put_pod(pod("a", phase="Running", deleting=True, deleting_since=NOW), 5)
    store.put_pod(pod("a", deleting=True, deleting_until=NOW + timedelta(seconds=3)), 6)
    assert store.entry(RUN_UID).pods["pod-a-1"].deleting_since == NOW


def test_a_run_that_is_gone_leaves_its_pods() -> None:
    store = RunCache()
    store.put_run(run())
    store.put_pod(pod("a"), 6)
    store.drop_run(RUN_UID)
    assert (len(store), store.run_body(KEY), store.key_of(RUN_UID)) == (0, None, None)
    assert store.last_key(RUN_UID) == KEY, "its pods may still be held"
    store.drop_pod(RUN_UID, "pod-a-1")
    assert store.last_key(RUN_UID) is None, "then nothing is left"
    assert store.uids() == []


def test_a_run_that_comes_back_is_taken_whatever_its_version() -> None:
    store = RunCache()
    store.put_run(run("50"))
    store.put_pod(pod("a"), 51)
    store.drop_run(RUN_UID)
    assert store.put_run(run("7"))
    assert store.key_of(RUN_UID) == KEY


def test_children_first() -> None:
    store = RunCache()
    store.remember(KEY)
    store.put_pod(pod("a"), 3)
    assert store.key_of(RUN_UID) is None, "a child does not prove its run"
    assert store.last_key(RUN_UID) == KEY


def test_dropping_what_is_not_there() -> None:
    store = RunCache()
    store.drop_run("x")
    store.drop_pod("x", "y")
    store.drop_approval("x", "y")
    assert len(store) == 0


def retain(
    store: RunCache, *, namespace: str | None = None, version: int, **kept: set[str]
) -> None:
    store.retain(
        namespace,
        runs=(frozenset(kept.get("runs", ())), version),
        pods=(frozenset(kept.get("pods", ())), version),
        approvals=(frozenset(kept.get("approvals", ())), version),
    )


def filled() -> RunCache:
    store = RunCache()
    store.put_run(run("5"))
    store.put_pod(pod("a"), 6)
    store.put_approval(approval(), RUN_UID, 7, now=NOW)
    return store


def test_lists_drop_what_they_no_longer_have() -> None:
    store = filled()
    retain(store, version=10)
    assert (len(store), store.uids()) == (0, [])


def test_lists_keep_what_they_have() -> None:
    store = filled()
    retain(store, version=10, runs={RUN_UID}, pods={"pod-a-1"}, approvals={"approval-uid"})
    assert len(store) == 1
    assert (names(store, "pods"), names(store, "approvals")) == ({"pod-a-1"}, {"ap"})


def test_lists_keep_what_is_newer_than_they_are() -> None:
    store = filled()
    retain(store, version=4)
    assert len(store) == 1
    assert (names(store, "pods"), names(store, "approvals")) == ({"pod-a-1"}, {"ap"})
    retain(store, version=6, runs={RUN_UID})
    assert (names(store, "pods"), names(store, "approvals")) == (set(), {"ap"})


def test_lists_of_one_namespace_say_nothing_of_others() -> None:
    store = filled()
    retain(store, namespace="elsewhere", version=10)
    assert (len(store), names(store, "pods")) == (1, {"pod-a-1"})


def test_a_recreated_approval_replaces_the_old_one() -> None:
    store = RunCache()
    store.put_run(run())
    store.put_approval(approval(state="Denied"), RUN_UID, 5, now=NOW)
    store.drop_approval(RUN_UID, "ap")
    assert store.put_approval(approval(), RUN_UID, 3, now=NOW), (
        "another object: its versions start again"
    )


def test_active_runs_are_those_without_an_end() -> None:
    store = RunCache()
    assert store.active() == 0
    store.put_run(run("5"))
    assert store.active() == 1
    store.put_run(run("6", status=ENDED))
    assert store.active() == 0, "it has ended"
    store.put_run(run("7", status={"phase": "Running"}))
    assert store.active() == 1, "a later round is active"
    store.put_pod(pod("fetch"), 8)
    store.drop_run(RUN_UID)
    assert store.active() == 0, "it is gone, its pod is not"


STALLED = {"type": "Stalled", "status": "True"}
WAITING = {"phase": "Waiting", "approval": "q", "startedAt": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({}, Signals(), id="nothing"),
        pytest.param({"conditions": [STALLED]}, Signals(stalled=True), id="stalled"),
        pytest.param({"conditions": [{**STALLED, "status": "False"}]}, Signals(), id="not-stalled"),
        pytest.param({"nodes": [WAITING]}, Signals(asked=(NOW,)), id="an-open-approval"),
        pytest.param(
            {"nodes": [{**WAITING, "approval": None}]}, Signals(), id="waits-for-no-person"
        ),
        pytest.param({"nodes": [{**WAITING, "phase": "Succeeded"}]}, Signals(), id="answered"),
        pytest.param({"conditions": [STALLED], "nodes": [WAITING], **ENDED}, Signals(), id="ended"),
        pytest.param(
            {"conditions": "x", "nodes": [7, {"phase": "Waiting"}]}, Signals(), id="malformed"
        ),
    ],
)
def test_what_monitoring_counts_of_a_run(status: dict[str, Any], expected: Signals) -> None:
    store = RunCache()
    store.put_run(run(status=status))
    assert list(store.signals()) == ([] if expected == Signals() else [expected])
    store.drop_run(RUN_UID)
    assert not list(store.signals())


def _run_below(uid: str, parent: str) -> dict[str, Any]:
    owner = {"uid": parent, "controller": True, "kind": "AgentWorkflow", "name": parent}
    named = {"uid": parent, "run": parent, "root": "a", "path": "n", "templates": []}
    metadata = {"name": uid, "namespace": "default", "uid": uid, "resourceVersion": "1"}
    below = {"metadata": {**metadata, "ownerReferences": [owner]}, "spec": {"parent": named}}
    return below if parent else {"metadata": metadata, "spec": {}}


@pytest.mark.parametrize(
    ("parents", "expected"),
    [
        pytest.param({"a": "", "b": "a", "c": "b", "d": "a"}, "abcd", id="a-tree"),
        pytest.param({"a": "", "x": "", "b": "x"}, "a", id="another-tree"),
        pytest.param({"a": "b", "b": "a"}, "ab", id="a-circle"),
        pytest.param({"a": "a"}, "a", id="its-own-parent"),
        pytest.param({"b": "gone", "a": "b"}, ["gone", "b", "a"], id="a-root-that-is-not-cached"),
    ],
)
def test_the_tree_of_a_run(parents: dict[str, str], expected: str | list[str]) -> None:
    """I16: owner references that people write hold up nothing."""
    cache = RunCache()
    for uid, parent in parents.items():
        cache.put_run(_run_below(uid, parent))
    assert sorted(cache.tree("a")) == sorted(expected)
