"""What must hold of every history, whatever broke: pure functions from what independent witnesses
saw to the sentences that say what is wrong.

The witnesses are a watch of the objects, the list of program starts, and the audit log of the API
server; nothing is believed because the operator says so. The names I1, I2, ... are those of
docs/invariants.md.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from e2e.chaos.evidence import (
    ATTEMPT,
    Evidence,
    Place,
    is_over,
    is_ready,
    last,
    named,
    place_of,
    records_of,
)
from e2e.chaos.history import NODES
from e2e.suite.kube import Obj

FINAL = frozenset({"Succeeded", "Failed", "Skipped", "Cancelled"})
KEPT = ("phase", "reason", "attempt", "outputDigest", "finishedAt")
# Of attempts. An operator of an earlier release, which may lead again for a moment during an
# upgrade, does not keep them.
YOUNGER = frozenset({"scheduledAt", "preparedAt"})


def violations(evidence: Evidence) -> list[str]:
    """Every sentence of every check; none when all is well."""
    return [f"{name}: {found}" for name, check in CHECKS.items() for found in check(evidence)]


def checkpoints_never_change(evidence: Evidence) -> Iterator[str]:
    """I1: once a node has ended, its checkpoint is what it is for the rest of the round."""
    ended: dict[tuple[str, str, int], Obj] = {}
    for seen in evidence.history.of("agentworkflows"):
        status = seen.body.get("status", {})
        for node in status.get("nodes", []):
            key = (seen.body["metadata"]["uid"], node["path"], status.get("round", 1))
            kept = {name: node.get(name) for name in KEPT}
            kept["attempts"] = [
                {name: value for name, value in attempt.items() if name not in YOUNGER}
                for attempt in node.get("attempts") or ()
            ]
            before = ended.get(key)
            if before is not None and before != kept:
                yield f"{named(seen.body)}/{node['path']} was {before} and became {kept}"
            if node["phase"] in FINAL:
                ended[key] = kept


def one_pod_at_a_time(evidence: Evidence) -> Iterator[str]:
    """I2: of a run's node at most one pod is not over, on machines that can be reached."""
    live: dict[Place, dict[str, Obj]] = defaultdict(dict)
    unreached: set[str] = set()  # pods that lived on a machine while it was lost
    for seen in evidence.history.all():
        if seen.kind == NODES and not is_ready(seen.body):
            machine = seen.body["metadata"]["name"]
            pods = [pod for by_uid in live.values() for pod in by_uid.values()]
            unreached |= {
                p["metadata"]["uid"] for p in pods if p["spec"].get("nodeName") == machine
            }
        if seen.kind != "pods" or (place := place_of(seen.body)) is None:
            continue
        uid = seen.body["metadata"]["uid"]
        live[place].pop(uid, None)
        if seen.type != "DELETED" and not is_over(seen.body):
            live[place][uid] = seen.body
        reachable = [pod for uid, pod in live[place].items() if uid not in unreached]
        if len(reachable) > 1:
            names = sorted(p["metadata"]["name"] for p in reachable)
            yield f"node {place[1]} of run {place[0]} had {' and '.join(names)} side by side"


def attempts_are_counted(evidence: Evidence) -> Iterator[str]:
    """I3: numbers run from 1 without gaps, one Job and one pod each, and status knows them."""
    known = {
        (uid, node["path"]): node.get("attempt") or 0
        for uid, run in last(evidence.history, "agentworkflows").items()
        for node in run.get("status", {}).get("nodes", [])
    }
    for kind in ("jobs", "pods"):
        made: dict[Place, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for seen in evidence.history.of(kind):
            if (place := place_of(seen.body)) is not None:
                number = int(seen.body["metadata"]["labels"][ATTEMPT])
                made[place][number].add(seen.body["metadata"]["uid"])
        for place, attempts in made.items():
            for number, uids in attempts.items():
                if len(uids) > 1:
                    yield f"attempt {number} of {place} had {len(uids)} {kind}"
            latest = known.get(place, 0)
            missing = set(range(1, latest + 1)) - set(attempts)
            if kind == "jobs" and missing:
                yield f"{place} is at attempt {latest}, and {sorted(missing)} never had a Job"
            if max(attempts) > latest:
                yield f"{place} had a {kind[:-1]} of attempt {max(attempts)}; status says {latest}"


def names_are_used_once(evidence: Evidence) -> Iterator[str]:
    """I3, by the API server's own account: no Job is made twice under one name."""
    made = Counter(
        r.name or "?"
        for r in evidence.requests
        if (r.resource, r.verb) == ("jobs", "create") and r.code < 300
    )
    for name, count in made.items():
        if count > 1 and name != "?":
            yield f"Job {name} was created {count} times"


def programs_start_once(evidence: Evidence) -> Iterator[str]:
    """I2 and I3 again, by the programs' own account: one start an attempt, one key a node."""
    starts = [entry for entry in evidence.starts if entry["what"] == "start"]
    counts = Counter((e["run"], e["path"], e["attempt"]) for e in starts)
    for attempt, count in counts.items():
        if count > 1:
            yield f"the program of {attempt} started {count} times"
    keys: dict[Place, set[str]] = defaultdict(set)
    for entry in starts:
        keys[entry["run"], entry["path"]].add(entry["key"])
    for place, found in keys.items():
        if len(found) > 1:
            yield f"{place} had {len(found)} idempotency keys"


def results_are_kept(evidence: Evidence) -> Iterator[str]:
    """I4: what a pod recorded as its success is the node's, and nothing of that round ran after."""
    records = records_of(evidence.history)
    started = Counter(
        (e["run"], e["path"], e["attempt"]) for e in evidence.starts if e["what"] == "start"
    )
    for uid, run in last(evidence.history, "agentworkflows").items():
        cancelled = run["spec"].get("cancel")
        for node in run.get("status", {}).get("nodes", []):
            found = [r for r in records[uid, node["path"]] if r["outcome"] == "Succeeded"]
            # The first of the latest round: a second one of the same round is a fault by itself.
            good = max(found, key=lambda r: (r.get("round", 1), -r["attempt"]), default=None)
            if good is None or cancelled or _was_given_up(node, good["attempt"]):
                continue
            kept = (node["phase"], node.get("outputDigest"), node.get("attempt"))
            if kept != ("Succeeded", good["digest"], good["attempt"]):
                if run["status"].get("round", 1) > good.get("round", 1):
                    continue  # a person let it run again
                yield f"{named(run)}/{node['path']} recorded {good} and status has {kept}"
            later = [k for k in started if k[:2] == (uid, node["path"]) and k[2] > kept[2]]
            if later:
                yield f"{named(run)}/{node['path']} had succeeded and started again: {later}"


def gates_hold(evidence: Evidence) -> Iterator[str]:
    """I8: no Job of a node behind a gate is older than the yes of a human."""
    answers: dict[Place, list[tuple[int, str]]] = defaultdict(list)
    for seen in evidence.history.of("approvals"):
        decision, place = seen.body["spec"].get("decision"), place_of(seen.body)
        if decision and place is not None:
            answers[place].append((seen.version, decision))
    behind = {
        (uid, node): gate
        for uid, run in last(evidence.history, "agentworkflows").items()
        for node, gate in _gated(run["spec"]["nodes"])
    }
    for seen in evidence.history.of("jobs"):
        place = place_of(seen.body)
        if seen.type != "ADDED" or place not in behind:
            continue
        gate = behind[place]
        said = [answer for at, answer in answers[place[0], gate] if at < seen.version]
        if said[-1:] != ["Approved"]:
            yield f"{place} has a Job behind gate {gate}, whose answers before it are {said}"


def checkpoints_are_backed(evidence: Evidence) -> Iterator[str]:
    """I14: a checkpoint is the record of its own attempt and pod, never of another."""
    records = records_of(evidence.history)
    for uid, run in last(evidence.history, "agentworkflows").items():
        for node in run.get("status", {}).get("nodes", []):
            found = records[uid, node["path"]]
            taken = [a for a in node.get("attempts", []) if a.get("reason") == "Succeeded"]
            if not found or not taken:
                continue
            whose = {(r["attempt"], r["podUID"], r.get("digest")) for r in found}
            mine = (taken[-1]["number"], taken[-1].get("podUid"), node.get("outputDigest"))
            if mine not in whose:
                yield f"{named(run)}/{node['path']} took {mine}; the pods recorded {whose}"


def the_end_is_the_end(evidence: Evidence) -> Iterator[str]:
    """I10 and I11: nothing is started for a run that has finished, and its status rests."""
    finished: dict[str, int] = {}  # run -> the round that has ended
    for seen in evidence.history.all():
        if seen.kind == "agentworkflows":
            uid, status = seen.body["metadata"]["uid"], seen.body.get("status", {})
            if status.get("finishedAt"):
                finished[uid] = status.get("round", 1)
            elif status.get("round", 1) <= finished.get(uid, 0):
                yield f"{named(seen.body)} had finished and continues"
            else:
                finished.pop(uid, None)
        place = place_of(seen.body) if seen.kind == "jobs" else None
        if place is not None and seen.type == "ADDED" and place[0] in finished:
            yield f"{place} got a Job after its run had finished"


CHECKS: dict[str, Callable[[Evidence], Iterable[str]]] = {
    "I1": checkpoints_never_change,
    "I2": one_pod_at_a_time,
    "I3": attempts_are_counted,
    "I3 by audit": names_are_used_once,
    "I3 by ledger": programs_start_once,
    "I4": results_are_kept,
    "I8": gates_hold,
    "I10": the_end_is_the_end,
    "I14": checkpoints_are_backed,
}


def _was_given_up(node: Obj, attempt: int) -> bool:
    """Status had ended the attempt before its pod did: what came later does not count."""
    reasons = {a["number"]: a.get("reason") for a in node.get("attempts", [])}
    return reasons.get(attempt) in ("Timeout", "NodeLost", "Cancelled", "DeadlineExceeded")


def _gated(nodes: list[Obj]) -> Iterator[tuple[str, str]]:
    """Nodes that need a yes, with the gate; a gate that lets a no pass is none here."""
    gates = {
        n["name"] for n in nodes if "approval" in n and n["approval"].get("onDenied") != "Continue"
    }
    for node in nodes:
        for gate in gates & set(node.get("dependsOn", [])):
            yield node["name"], gate
