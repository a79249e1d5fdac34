"""Journals: who may append what, and what is read again."""

import asyncio
from typing import Any

import pytest
from waypost.api import meta
from waypost.gateway import journals
from waypost.kube.names import job_name
from waypost.ports.cluster import Kind, Unavailable
from waypost.protocol import ijson

from tests.gateway.place import RUN, TOKEN, Place, make_pod, noise, place, reviewed, token_of

LATER = token_of("later")
ONE, TWO, THREE = ({"v": 1, "text": text} for text in ("one", "two", "three"))


async def read(p: Place, **asked: Any) -> list[tuple[int, int, Any]]:
    """Number, attempt and document of the segments."""
    answer = await p.journal(**asked)
    assert answer.status_code == 200, answer.text
    return [(s["number"], s["attempt"], s["document"]) for s in answer.json()["segments"]]


def change_node(p: Place, **fields: Any) -> None:
    paths = {f"status__nodes__0__{name}": value for name, value in fields.items()}
    p.update(Kind.AGENT_WORKFLOW, RUN, **paths)


async def test_segments_are_read_in_the_order_in_which_they_were_appended() -> None:
    async with place() as p:
        assert (await p.journal()).json() == {"segments": [], "more": False}
        for number, document in enumerate((ONE, TWO, THREE), start=1):
            assert (await p.append(number, document)).status_code == 201
        assert await read(p) == [(1, 2, ONE), (2, 2, TWO), (3, 2, THREE)]
        assert await read(p, after=2) == [(3, 2, THREE)]
        assert await read(p, after=3) == []
        assert p.counted("Stored", type_="journal") == 3
        owners = {r["metadata"]["ownerReferences"][0]["name"] for r in p.records()}
        assert owners == {RUN}, "they go with their run"


async def test_a_segment_that_is_sent_again_is_stored_once() -> None:
    async with place() as p:
        assert (await p.append(1, ONE)).status_code == 201
        assert (await p.append(1, ONE)).status_code == 200
        assert (await p.append(2, TWO)).status_code == 201
        assert (await p.append(1, ONE)).status_code == 200, "also when it was long ago"
        assert len(p.records()) == 2


async def test_of_two_writers_of_a_number_one_loses() -> None:
    async with place() as p:
        done = await asyncio.gather(p.append(1, ONE), p.append(1, TWO))
        assert sorted(r.status_code for r in done) == [201, 409]
        lost = next(r for r in done if r.status_code == 409)
        assert lost.json()["reason"] == "JournalMoved"


async def test_the_next_attempt_goes_on_and_the_one_before_is_shut_out() -> None:
    async with place() as p:
        await p.append(1, ONE)
        p.attempt(3, token=LATER)
        assert await read(p, token=LATER) == [(1, 2, ONE)]
        assert (await p.append(2, TWO, token=LATER)).status_code == 201
        sealed = await p.append(2, TWO)
        assert (sealed.status_code, sealed.json()["reason"]) == (403, "AttemptNotCurrent")


async def test_the_same_words_of_another_pod_are_not_the_same_segment() -> None:
    async with place() as p:
        await p.append(1, ONE)
        p.attempt(3, token=LATER)
        moved = await p.append(1, ONE, token=LATER)
        assert (moved.status_code, moved.json()["reason"]) == (409, "JournalMoved")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({}, 1, id="same"),
        pytest.param({"fingerprint": "v1:another"}, 0, id="edited-node"),
        pytest.param({"repeats": 1}, 0, id="asked-for-a-repetition"),
        pytest.param({"inputDigest": "sha256:other"}, 0, id="other-inputs"),
    ],
)
async def test_whose_journal_it_is_follows_from_the_run_status(fields: Any, found: int) -> None:
    async with place() as p:
        await p.append(1, ONE)
        change_node(p, **fields)
        assert len(await read(p)) == found


async def test_a_fingerprint_counts_more_than_the_inputs() -> None:
    async with place() as p:
        change_node(p, fingerprint="v1:same")
        await p.append(1, ONE)
        change_node(p, inputDigest="sha256:other")
        assert len(await read(p)) == 1
        (record,) = p.records()
        assert record["spec"]["journal"]["fingerprint"] == "v1:same"


def item_of(identity: str, attempt: int, *, index: int) -> Any:
    """The status of a map whose item at this index runs this attempt."""
    text = f"{index} +1.5 r1 $9000/-/- #{identity} =NodeError !Timeout a text"
    return {
        "round": 1,
        "total": index + 1,
        "at": "2026-03-01T09:00:00Z",
        "states": f"P*{index} R{attempt}",
        "open": [text],
    }


async def test_s186_the_journal_of_an_item_follows_its_identity() -> None:
    """A new round may have another item at the same index, and this item at another one."""
    async with place() as p:
        change_node(p, fingerprint="v1:map", items=item_of("3fa9c1d2e0b7", 2, index=3))
        run = p.cluster.inner.server.get(Kind.AGENT_WORKFLOW, namespace="default", name=RUN)
        uid = run["metadata"]["uid"]
        for token, path, attempt in (
            (token_of("i3a"), "draft/3", 2),
            (token_of("i4b"), "draft/4", 3),
        ):
            job = job_name(run=RUN, run_uid=uid, path=path, attempt=attempt)
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": "job-uid"}
            notes = {meta.ANNOTATION_RUN_NAME: RUN, meta.ANNOTATION_PATH: path}
            pod = make_pod(
                p.cluster.inner,
                f"{job}-x",
                run_uid=uid,
                attempt=attempt,
                annotations=notes,
                ownerReferences=[{**owner, "controller": True}],
            )
            p.cluster.tokens[token] = reviewed(pod)
        assert (await p.append(1, ONE, token=token_of("i3a"))).status_code == 201
        (record,) = p.records()
        assert record["spec"]["path"] == "draft"
        assert record["spec"]["journal"]["fingerprint"] == "v1:map#3fa9c1d2e0b7"
        change_node(p, items=item_of("3fa9c1d2e0b7", 3, index=4))
        assert await read(p, token=token_of("i4b")) == [(1, 2, ONE)], "it has moved"
        change_node(p, items=item_of("aaaaaaaaaaaa", 3, index=4))
        assert await read(p, token=token_of("i4b")) == [], "another item at that index"
        refused = await p.append(2, TWO, token=token_of("i3a"))
        assert (refused.status_code, refused.json()["reason"]) == (403, "AttemptNotCurrent")


@pytest.mark.parametrize(
    ("number", "status", "reason"),
    [
        pytest.param(2, 409, "JournalGap", id="gap"),
        pytest.param(0, 400, "BadRequest", id="zero"),
        pytest.param("one", 400, "BadRequest", id="word"),
        pytest.param("9" * 30, 400, "BadRequest", id="huge"),
    ],
)
async def test_numbers_that_are_refused(number: Any, status: int, reason: str) -> None:
    async with place() as p:
        refused = await p.append(number, ONE)
        assert (refused.status_code, refused.json()["reason"]) == (status, reason)
        assert p.records() == []
        assert p.counted(reason, type_="journal") == 1


@pytest.mark.parametrize("after", ["-1", "1.5", "x"])
async def test_places_that_are_refused(after: str) -> None:
    async with place() as p:
        assert (await p.journal(after=after)).json()["reason"] == "BadRequest"


async def test_a_node_without_a_fingerprint_has_no_journal() -> None:
    async with place() as p:
        change_node(p, inputDigest=None)
        refused = await p.append(1, ONE)
        assert (refused.status_code, refused.json()["reason"]) == (403, "AttemptNotCurrent")


async def test_a_journal_is_read_in_pages() -> None:
    async with place() as p:
        big = ijson.parse(noise(400_000))
        for number in range(1, 6):
            assert (await p.append(number, {**big, "n": number})).status_code == 201
        first = (await p.journal()).json()
        assert (len(first["segments"]), first["more"]) == (3, True)
        rest = (await p.journal(after=3)).json()
        assert [s["document"]["n"] for s in rest["segments"]] == [4, 5]
        assert rest["more"] is False


async def test_a_segment_and_a_journal_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with place() as p:
        refused = await p.append(1, {"text": "x" * journals.LARGEST_SEGMENT})
        assert (refused.status_code, refused.json()["reason"]) == (413, "TooLarge")
        monkeypatch.setattr(journals, "MOST_BYTES", 60)
        assert (await p.append(1, ONE)).status_code == 201
        assert (await p.append(2, TWO)).status_code == 201
        full = await p.append(3, THREE)
        assert (full.status_code, full.json()["reason"]) == (413, "JournalFull")
        assert "agent.limits" in full.json()["message"]
        monkeypatch.setattr(journals, "MOST_BYTES", 10_000)
        monkeypatch.setattr(journals, "MOST_SEGMENTS", 2)
        assert (await p.append(3, THREE)).json()["reason"] == "JournalFull"
        assert (await p.append(2, TWO)).status_code == 200


@pytest.mark.parametrize("after_commit", [False, True], ids=["not-written", "answer-lost"])
async def test_nothing_is_acknowledged_that_may_not_be_durable(after_commit: bool) -> None:
    async with place() as p:
        p.cluster.inner.fail_next(
            "create", Kind.NODE_RECORD, Unavailable("lost"), after_commit=after_commit
        )
        assert (await p.append(1, ONE)).json()["reason"] == "StoreUnavailable"
        assert (await p.append(1, ONE)).status_code == (200 if after_commit else 201)


async def test_a_segment_that_was_taken_out_is_noticed() -> None:
    async with place() as p:
        for number, document in enumerate((ONE, TWO, THREE), start=1):
            await p.append(number, document)
        second = next(r for r in p.records() if r["spec"]["journal"]["number"] == 2)
        name = second["metadata"]["name"]
        await p.as_user().delete(Kind.NODE_RECORD, namespace="default", name=name)
        p.attempt(3, token=LATER)
        assert (await p.append(2, {"v": 1, "text": "forged"}, token=LATER)).status_code == 201
        damaged = await p.journal(token=LATER)
        assert (damaged.status_code, damaged.json()["reason"]) == (500, "Damaged")
        assert "a segment was removed" in damaged.json()["message"]


async def test_a_record_in_the_place_of_a_segment_is_not_taken_for_one() -> None:
    async with place() as p:
        await p.append(1, ONE)
        (record,) = p.records()
        name = record["metadata"]["name"]
        await p.as_user().delete(Kind.NODE_RECORD, namespace="default", name=name)
        metadata = {k: record["metadata"][k] for k in ("name", "labels", "ownerReferences")}
        forged = {**record, "metadata": metadata, "spec": {**record["spec"], "path": "other"}}
        await p.as_user().create(Kind.NODE_RECORD, namespace="default", body=forged)
        assert (await p.journal()).json()["reason"] == "Damaged"


async def test_only_a_pod_with_a_token_reads_or_appends() -> None:
    async with place() as p:
        assert (await p.append(1, ONE, token=token_of("xyz"))).status_code == 401
        assert (await p.journal(token=token_of("xyz"))).status_code == 401
        assert (await p.journal(token=TOKEN)).status_code == 200


def iteration(p: Place, number: int, attempt: int, *, done: str) -> str:
    """The token of a pod that runs this attempt of an iteration; the status says so."""
    path, token = f"draft/{number}", token_of(f"i{number}{attempt}")
    run = p.cluster.inner.server.get(Kind.AGENT_WORKFLOW, namespace="default", name=RUN)
    uid = run["metadata"]["uid"]
    job = job_name(run=RUN, run_uid=uid, path=path, attempt=attempt)
    launched = {
        "number": attempt,
        "iteration": number,
        "job": job,
        "launchedAt": "2026-03-01T09:00:00Z",
    }
    change_node(p, loop={"number": number, "done": done}, attempt=attempt, attempts=[launched])
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": "job-uid"}
    pod = make_pod(
        p.cluster.inner,
        f"{job}-x",
        run_uid=uid,
        attempt=attempt,
        annotations={meta.ANNOTATION_RUN_NAME: RUN, meta.ANNOTATION_PATH: path},
        ownerReferences=[{**owner, "controller": True}],
    )
    p.cluster.tokens[token] = reviewed(pod)
    return token


async def test_s150_each_iteration_has_a_journal_which_its_attempts_share() -> None:
    async with place() as p:
        change_node(p, fingerprint="v1:loop")
        first = iteration(p, 0, 3, done="")
        assert (await p.append(1, ONE, token=first)).status_code == 201
        second = iteration(p, 1, 4, done="3")
        assert await read(p, token=second) == [], "a new conversation"
        assert (await p.append(1, TWO, token=second)).status_code == 201
        again = iteration(p, 1, 5, done="3")
        assert await read(p, token=again) == [(1, 4, TWO)], "a retry continues it"
        refused = await p.append(2, TWO, token=first)
        assert (refused.status_code, refused.json()["reason"]) == (403, "AttemptNotCurrent")
