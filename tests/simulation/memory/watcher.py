"""A watcher of memory: judges every change as the API server stores it (VY1 to VY6)."""

import json
from datetime import datetime
from typing import Any, Final

from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.simulation.memory.interpreter import (
    in_snapshot,
    kept_facts,
    kept_inputs,
    kept_output,
    read,
)
from tests.simulation.memory.plan import Plan, Run
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World
from tests.support.memory import ENTRY

_FENCE: Final = 12.0  # seconds that an operator may act after a live list
_READ: Final = ("scope", "key", "digest", "record", "episodes", "facts", "entries")


class Watcher:
    """Receives every change before any operator does."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.violations: list[Violation] = []
        self.runs: dict[str, Run] = {run.name: run for run in plan.runs}
        self.entries: dict[str, Obj] = {}
        self.created: dict[str, Obj] = {}  # every entry that ever was, by name
        self.dropped: set[str] = set()  # entries that a person has deleted
        self.refused = False  # an entry may have been refused for good
        self._world = world
        self._states: list[tuple[float, dict[str, Obj]]] = [(float("-inf"), {})]
        self._records: dict[str, Obj] = {}  # NodeRecords, also those that were deleted
        self._known: dict[str, Obj] = {}  # status.memory of runs
        self._finished: dict[str, set[tuple[int, str]]] = {}  # rounds that ended, with their phase
        self._due: dict[str, dict[str, datetime]] = {}  # by run: what others had written before it
        self._cancelled: set[tuple[str, int]] = set()  # before the result was recorded
        self._snapshots: dict[tuple[str, int], str] = {}  # NodeRecords, by run and round
        self._given: dict[tuple[str, int], Obj] = {}  # inputs, by run and attempt
        self._checkpoints: set[tuple[str, int]] = set()  # runs, and attempts that are recorded
        self._forgotten: list[tuple[float, str, str, datetime]] = []
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, what: str, invariant: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, what, self._world.clock.monotonic()))

    def is_forgotten(self, run: Run) -> bool:
        """Whether a person has forgotten the memory of a run."""
        return any(one[1:3] == (run.scope, run.key) for one in self._forgotten)

    def written(self, name: str) -> list[Obj]:
        """The Episodes that a run has ever written."""
        made = [b for b in self.created.values() if b["spec"]["type"] == "Episode"]
        return [b for b in made if _source(b).get("run") == name]

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is ENTRY or section(body, "spec").get("type") in ("Memory", "Remember"):
            self._has_no_marked(body)
        if kind is ENTRY:
            self._entry(change, body)
        elif kind is Kind.NODE_RECORD and change == "ADDED":
            self._records[body["metadata"]["name"]] = body["spec"]
        elif kind is Kind.AGENT_WORKFLOW and change != "DELETED":
            self._run(change, body)

    def _has_no_marked(self, body: Obj) -> None:
        """VY6: no marked value is in an entry, a snapshot, or what is to be remembered."""
        stored = json.dumps(body["spec"])
        for run in self.runs.values():
            if run.secret in stored:
                self.blame(f"{body['metadata']['name']} has {run.secret}: {stored}", "VY6")

    # --- entries ---------------------------------------------------------------------------------

    def _entry(self, change: str, body: Obj) -> None:
        name, now = body["metadata"]["name"], self._world.clock.monotonic()
        if change == "DELETED":
            self.entries.pop(name, None)
        else:
            if change == "ADDED" and body["spec"]["type"] != "Forgotten":
                self._added(name, body)
            self.entries[name] = body
            if change == "ADDED" and body["spec"]["type"] == "Forgotten":
                spec = body["spec"]
                at = datetime.fromisoformat(spec["source"]["at"])
                self._forgotten.append((now, spec["scope"], spec["key"], at))
        self._states.append((now, dict(self.entries)))

    def _added(self, name: str, body: Obj) -> None:
        spec, source = body["spec"], _source(body)
        if name in self.created and name not in self.dropped:
            self.blame(f"{name} is created a second time", "VY3")
        self.created[name] = body
        outbox = self._known.get(source["run"], {}).get("outbox") or []
        held = [e for r in outbox for e in self._records[r]["data"]["entries"]]
        if not any(entry["metadata"]["name"] == name for entry in held):
            self.blame(f"{name} is created, and the outbox has only {outbox}", "VY3")
        if spec["type"] == "Fact":
            self._stated(name, spec)
        now, at = self._world.clock.monotonic(), datetime.fromisoformat(source["at"])
        for since, scope, key, until in self._forgotten:
            same = (scope, key) == (spec["scope"], spec["key"])
            if same and at <= until and now > since + _FENCE:
                self.blame(f"{name} of {at} is created, forgotten up to {until}", "VY4")

    def _stated(self, name: str, spec: Obj) -> None:
        """A fact is what the attempt stated that is the checkpoint."""
        source = spec["source"]
        run, attempt = self.runs[source["run"]], source["attempt"]
        if (run.name, attempt) not in self._checkpoints:
            self.blame(f"{name} is of attempt {attempt}, which is no checkpoint", "VY3")
            return
        stated = kept_facts(run, attempt)[source["ordinal"] :][:1]
        if [{"subject": spec.get("subject"), **spec["value"]}] != stated:
            self.blame(f"{name} says {spec['value']}, and its node stated {stated}", "VY3")

    # --- runs ------------------------------------------------------------------------------------

    def _run(self, change: str, body: Obj) -> None:
        name, status = body["metadata"]["name"], section(body, "status")
        if name not in self.runs:
            return
        if change == "ADDED":
            self._due[name] = self._written_before(self.runs[name])
        memory, before = section(status, "memory"), self._known.get(name)
        for node in items(status, "nodes"):
            if node["path"] == "a" and node["phase"] == "Succeeded" and memory:
                self._checkpoints.add((name, node["attempt"]))
        if memory and not before:
            self._begun(self.runs[name], memory)
            if any(n["path"] == "a" and n["phase"] == "Pending" for n in status["nodes"]):
                self.blame(f"{name} has read its memory, and does not begin", "VY5")
        elif before and any(before.get(key) != memory.get(key) for key in _READ):
            self._read_again(name, body, memory)
        if memory:
            self._known[name] = memory
            self._snapshots[name, int(status.get("round", 1))] = memory["record"]
        settled = memory.get("end") or status.get("verdict") or _is_finished(status)
        if section(body, "spec").get("cancel") and not settled:
            self._cancelled.add((name, int(status.get("round", 1))))
        if _is_finished(status):
            self._ended(name, status, memory)

    def _ended(self, name: str, status: Obj, memory: Obj) -> None:
        if memory.get("outbox"):
            self.blame(f"{name} is Finished, and has {memory['outbox']} to write", "VY2")
        if memory and text(status, "phase") == "Succeeded":
            self._reads_its_snapshot(name, status)
        self._finished.setdefault(name, set()).add((status["round"], text(status, "phase")))

    def _read_again(self, name: str, body: Obj, memory: Obj) -> None:
        """VY1: a snapshot changes only in the write that begins a round which asks for it."""
        rerun, round_ = section(body, "spec", "rerun"), int(body["status"].get("round", 1))
        begins = (name, round_) not in self._snapshots and rerun.get("round") == round_
        if begins and rerun.get("memory") == "Refresh":
            self._begun(self.runs[name], memory)
        else:
            self.blame(f"{name}: the snapshot was {self._known[name]}, and is {memory}", "VY1")

    def _written_before(self, run: Run) -> dict[str, datetime]:
        """The Episodes of runs that had ended before this one was created."""
        others = [n for n, r in self.runs.items() if (r.scope, r.key) == (run.scope, run.key)]
        ended = {(n, round_) for n in others for round_, _ in self._finished.get(n, ())}
        return {
            name: datetime.fromisoformat(_source(b)["at"])
            for name, b in self.entries.items()
            if b["spec"]["type"] == "Episode" and (_source(b)["run"], _source(b)["round"]) in ended
        }

    def _begun(self, run: Run, memory: Obj) -> None:
        stored = self._records.get(memory["record"])
        if stored is None:
            self.blame(f"{run.name} names a snapshot that does not exist", "VY1")
            return
        found, now = in_snapshot(stored["data"]), self._world.clock.monotonic()
        moment = self._world.clock.now()
        recent = [state for at, state in self._states if at > now - _FENCE]
        recent.append([state for at, state in self._states if at <= now - _FENCE][-1])
        possible = [
            read(
                state.values(),
                scope=run.scope,
                key=run.key,
                most=run.episodes,
                facts=run.reads,
                now=moment,
            )
            for state in recent
        ]
        if found not in possible:
            self.blame(f"{run.name} reads {found}, expected one of {possible}", "VY5")
        self._sees_what_had_ended(run, stored["data"], found.episodes)

    def _sees_what_had_ended(self, run: Run, snapshot: Any, listed: tuple[str, ...]) -> None:
        """VY2: who waits for Finished and then creates a run finds the Episode."""
        due = {n: at for n, at in self._due[run.name].items() if n not in self.dropped}
        due = {n: at for n, at in due.items() if not self._is_gone(run, at)}
        if not due or not run.episodes:
            return
        latest = max(due.values())
        seen = [datetime.fromisoformat(one["finishedAt"]) for one in snapshot["episodes"][:1]]
        superseded = all(
            any(_source(b)["round"] > _source(self.created[n])["round"] for b in self.written(r))
            for n in due
            if (r := _source(self.created[n])["run"])
        )
        if (not seen or seen[0] < latest) and not superseded:
            self.blame(f"{run.name} reads {listed}, and {due} had ended before", "VY2")

    def _is_gone(self, run: Run, at: datetime) -> bool:
        return any(
            (scope, key) == (run.scope, run.key) and at <= until
            for _, scope, key, until in self._forgotten
        )

    # --- the end ---------------------------------------------------------------------------------

    def at_rest(self) -> None:
        """VY3, once all is quiet: the Episodes are those of the rounds that ended."""
        for name, run in self.runs.items():
            ended = self._finished.get(name, set()) if run.remembers else set()
            expected = {r: p for r, p in ended if p in ("Succeeded", "Failed")}
            known = {_source(b)["round"]: b for b in self.written(name)}
            begun = {r for r in expected if name in self._known}
            missing = begun - known.keys()
            if missing and not self.is_forgotten(run) and not self.refused:
                self.blame(f"{name}: no Episode of rounds {sorted(missing)}", "VY3")
            for round_ in known.keys() & expected.keys():
                good = known[round_]["spec"]["succeeded"]
                if good != (expected[round_] == "Succeeded"):
                    self.blame(f"{name}: round {round_} is {expected[round_]}, not {good}", "VY3")
                self._value(run, known[round_])
            strange = {r for n, r in self._cancelled if n == name} & known.keys()
            if strange:
                self.blame(f"{name}: cancelled, and has Episodes of {sorted(strange)}", "VY3")

        self._facts_at_rest()

    def _facts_at_rest(self) -> None:
        """VY3: each checkpoint has left its facts."""
        said = {(s.get("subject"), s["value"].get("text")) for s in self._facts()}
        for name, attempt in self._checkpoints:
            run = self.runs[name]
            due = {(one["subject"], one["text"]) for one in run.facts(attempt)}
            if not due <= said and not self.is_forgotten(run) and not self.refused:
                self.blame(f"{name}: no facts {sorted(due - said)} of attempt {attempt}", "VY3")

    def _facts(self) -> list[Obj]:
        return [b["spec"] for b in self.created.values() if b["spec"]["type"] == "Fact"]

    def _value(self, run: Run, body: Obj) -> None:
        """What an Episode says, from the snapshot and what the node of the run finds."""
        if self.is_forgotten(run):
            return  # its snapshot may be deleted
        record = self._snapshots[run.name, _source(body)["round"]]
        said = section(self._records[record], "data")
        last = said["episodes"][0]["outputs"] if said["episodes"] else {}
        expected: dict[str, Any] = {"before": last.get("n", -1)}
        if body["spec"]["succeeded"]:
            expected["n"] = run.number
        found = dict(body["spec"]["value"])
        self._kept(run, body, found)
        if {**found, "n": 0} != {**expected, "n": 0} or found.get("n", run.number) != run.number:
            self.blame(f"{run.name} remembers {found}, expected {expected}", "VY3")

    def _kept(self, run: Run, body: Obj, found: Obj) -> None:
        """VY6: what is not marked of an output or of inputs that are read as a whole is kept.
        Takes both out of what is found."""
        whole, asked = found.pop("all", None), found.pop("asked", None)
        attempts = [a for n, a in self._checkpoints if n == run.name]
        good = body["spec"]["succeeded"]
        possible = [kept_output(run, a) for a in attempts] if run.marks else [None]
        if whole not in possible and (good or whole is not None):
            self.blame(f"{run.name} remembers {whole}, expected one of {possible}", "VY6")
        expected = kept_inputs(run) if run.asks else None
        if asked != expected:
            self.blame(f"{run.name} remembers {asked}, expected {expected}", "VY6")

    def judge_inputs(self, name: str, round_: int, attempt: int, inputs: Obj) -> None:
        """VY1: every attempt of a run sees what the snapshot of its round says."""
        self._given[name, attempt] = inputs
        expected = self._expected(name, round_)
        if inputs != expected:
            self.blame(f"{name} is given {inputs}, expected {expected}", "VY1")

    def _expected(self, name: str, round_: int) -> Obj:
        """What node a reads in a round."""
        said = self._records[self._snapshots[name, round_]]["data"]
        last = said["episodes"][0]["outputs"] if said["episodes"] else {}
        good = said.get("lastSucceeded", {}).get("outputs", {})
        return {"before": last.get("n", -1), "good": good.get("n", -1)}

    def _reads_its_snapshot(self, name: str, status: Obj) -> None:
        """VY1: the checkpoint of a round that ended is of an attempt that read its snapshot."""
        node = next(one for one in status["nodes"] if one["path"] == "a")
        given, expected = (
            self._given.get((name, node["attempt"])),
            self._expected(name, status["round"]),
        )
        if node["phase"] == "Succeeded" and given is not None and given != expected:
            self.blame(f"{name}: the checkpoint read {given}, expected {expected}", "VY1")


def _source(body: Obj) -> Obj:
    return section(body, "spec", "source")


def _is_finished(status: Obj) -> bool:
    return any(
        c["type"] == "Finished" and c["status"] == "True" for c in items(status, "conditions")
    )
