"""A watcher of the saga: judges every change as the API server stores it (VF1, VF2)."""

from collections.abc import Iterator
from typing import Final

from waypost.api.base import JsonValue
from waypost.kube.node_records import record_fact
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj

from tests.fakes.nodes.programs import PodView
from tests.simulation.sagas.interpreter import (
    inputs_of_item,
    inputs_of_iteration,
    inputs_of_undo,
    may_begin,
    must_be_undone,
    undone_items,
    undone_iterations,
)
from tests.simulation.sagas.plan import RUN, Saga, Step
from tests.simulation.watching.evidence import FINAL, Violation
from tests.support.harness import World

CLEAN: Final = "clean"  # the node of finally


class Watcher:
    """Receives every change before any operator does, and asks no operator."""

    def __init__(self, world: World, plan: Saga) -> None:
        self.violations: list[Violation] = []
        self.keys: dict[str, set[str]] = {}  # idempotency keys by path, of this round
        self.worn: dict[str, set[str]] = {}  # those of undone programs and of earlier compensations
        self.undone: set[tuple[str, int]] = set()  # node and round
        self._world, self._plan = world, plan
        self._steps = {step.name: step for step in plan.steps}
        self._undoing = {step.undo_program: step for step in plan.steps}
        self._status: Obj = {}
        self._started: set[tuple[str, int]] = set()  # path and round of programs
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, invariant: str, text: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text, self._world.clock.monotonic()))

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is not Kind.AGENT_WORKFLOW or body["metadata"]["name"] != RUN:
            return
        old, new = self._status, section(body, "status")
        if change == "DELETED" or old == new:
            return
        self._status = new
        begins = new.get("round", 1) > old.get("round", 1) and bool(old)
        for text in self._rounds(old, new) if begins else self._stages(old, new):
            self.blame("VF2" if text.startswith("undo") else "VF1", text)

    # --- stages and order ------------------------------------------------------------------------

    def _stages(self, old: Obj, new: Obj) -> Iterator[str]:
        entries, before = _by_path(new), _by_path(old)
        verdict = new.get("verdict")
        if old.get("verdict") and verdict != old["verdict"]:
            yield f"the verdict changed from {old['verdict']} to {verdict}"
        if verdict and not old.get("verdict"):
            yield from self._begun(entries, verdict)
        for step in self._steps.values():
            was, now = before.get(step.undo), entries.get(step.undo)
            if now is None or now["phase"] == (was or {}).get("phase", "Pending"):
                continue
            if was is not None and was["phase"] == "Pending" and now["phase"] not in FINAL:
                yield from self._starts(step.name, before)
            if now["phase"] == "Succeeded":
                self.undone.add((step.name, new.get("round", 1)))
        clean = entries.get("clean")
        if clean is not None and clean["phase"] not in ("Pending", "Superseding"):
            left = [p for p, e in entries.items() if p != "clean" and e["phase"] not in FINAL]
            if left:
                yield f"finally runs, and {', '.join(left)} has not ended"
        if new.get("finishedAt") and not old.get("finishedAt"):
            yield from self._finished(entries, verdict)

    def _begun(self, entries: dict[str, Obj], verdict: Obj) -> Iterator[str]:
        open_ = [p for p in self._steps if entries[p]["phase"] not in FINAL]
        if open_:
            yield f"a verdict, and {', '.join(open_)} has not ended"
        good = verdict["phase"] == "Succeeded"
        expected = set() if good else {step.undo for step in self._needed(entries)}
        found = {path for path in entries if "/" in path}
        if found != expected:
            yield f"undo {sorted(found)} is planned, expected {sorted(expected)}"

    def _needed(self, entries: dict[str, Obj]) -> Iterator[Step]:
        for step in self._steps.values():
            entry = entries[step.name]
            if step.values is not None or step.loops:
                if step.undoable and entry["phase"] in FINAL and self._effective(step, entry):
                    yield step
            elif must_be_undone(step, entry["phase"], entry.get("reason", "")):
                yield step

    def _effective(self, step: Step, entry: Obj) -> list[int]:
        """The items of a map or the iterations of a loop that must be undone, in their order, as
        the API server has them."""
        if step.loops:
            return undone_iterations(entry)
        value = self.value_of(section(entry, "items").get("sealed", ""))
        return undone_items(value["states"]) if isinstance(value, dict) else []

    def value_of(self, record: str) -> JsonValue:
        """The content of a NodeRecord; None if it does not exist."""
        for one in self._world.all(Kind.NODE_RECORD):
            if one["metadata"]["name"] == record:
                return record_fact(one).payload.value
        return None

    def ran(self, step: Step, at: int, round_: int) -> bool:
        """Whether a program of an item or of an iteration has started in a round."""
        return (f"{step.name}/{at}", round_) in self._started

    def _starts(self, name: str, before: dict[str, Obj]) -> Iterator[str]:
        """The compensation of a node begins: it must be the next one."""
        open_ = {
            step.name: before[step.name].get("finishedAt", "")
            for step in self._steps.values()
            if step.undo in before and before[step.undo]["phase"] not in FINAL
        }
        busy = [n for n in open_ if before[self._steps[n].undo]["phase"] != "Pending"]
        ended = self._ended_in_this_write(open_)
        open_ = {n: at for n, at in open_.items() if n not in ended}
        if [n for n in busy if n not in ended]:
            yield f"undo of {name} begins beside that of {', '.join(busy)}"
        elif name not in open_ or not may_begin(self._plan, name, open_):
            yield f"undo of {name} begins too early; open: {open_}"

    def _ended_in_this_write(self, open_: dict[str, str]) -> set[str]:
        now = _by_path(self._status)
        return {name for name in open_ if now[self._steps[name].undo]["phase"] in FINAL}

    def _finished(self, entries: dict[str, Obj], verdict: Obj | None) -> Iterator[str]:
        found = self._status.get("phase")
        if verdict is not None and verdict["phase"] != "Succeeded" and found != verdict["phase"]:
            yield f"the run is {found}, its verdict was {verdict['phase']}"
        needed = [step.name for step in self._needed(entries)]
        if verdict is None and found in ("Failed", "Cancelled") and needed:
            yield f"undo of {needed} is missing, and the run is {found}"

    # --- rounds ----------------------------------------------------------------------------------

    def _rounds(self, old: Obj, new: Obj) -> Iterator[str]:
        if old.get("verdict") and not old.get("finishedAt"):
            yield "a round began while compensations or finally ran"
        ended = old.get("round", 1)
        entries = _by_path(new)
        for name in self._steps:
            again = (name, ended) in self.undone
            if again and entries[name].get("disposition") in ("Reused", "Adopted"):
                yield f"undo of {name} in round {ended}, and its checkpoint is reused"
            for path, keys in self.keys.items():
                if again and is_main(path) and path.partition("/")[0] == name:
                    self.worn.setdefault(path, set()).update(keys)
        for path, keys in self.keys.items():
            if not is_main(path):
                self.worn.setdefault(path, set()).update(keys)
        self.keys = {path: keys for path, keys in self.keys.items() if is_main(path)}

    # --- programs --------------------------------------------------------------------------------

    def started(self, pod: PodView) -> None:
        """A program starts: its key, its inputs, and what runs beside it."""
        undone = self._undoing.get(pod.path)
        main = undone is None and is_main(pod.path)
        path = undone.undo if undone is not None else pod.path
        self._started.add((pod.path, self._status.get("round", 1)))
        if pod.key in self.worn.get(path, ()):
            self.blame("VF2", f"undo of {path.partition('/')[0]}: {path} has an old key")
        self.keys.setdefault(path, set()).add(pod.key)
        if len(self.keys[path]) > 1 and not main:
            self.blame("VF2", f"undo: the key of {path} changed within a round")
        entries = _by_path(self._status)
        if main and self._status.get("verdict"):
            self.blame("VF1", f"the program of {path} started after the verdict")
        step = self._undoing.get(base_of(pod.path))
        if step is None or main:
            return
        if step.undo_child and entries[step.undo]["phase"] != "Running":
            self.blame("VW1", f"the child run of {path} runs, and is not waited for")
        running = [
            one.path
            for one in self._world.ledger.executions
            if one.ended_at is None and one.path != pod.path
        ]
        if running:
            self.blame("VF1", f"the program of {path} started beside {running}")
        if step.values is not None or step.loops:
            self._judge_item(step, pod, entries[step.name])
            return
        keys = self.keys.get(step.name, {""})
        phase = entries[step.name]["phase"]
        legal = [inputs_of_undo(self._plan, step, phase, key) for key in sorted(keys)]
        if pod.inputs not in legal:
            self.blame("I6", f"{path} got {pod.inputs}, expected one of {legal}")

    def _judge_item(self, step: Step, pod: PodView, entry: Obj) -> None:
        """An item or an iteration is undone: it is its turn, and the program gets what it had."""
        at, order = int(pod.path.rpartition("/")[2]), self._effective(step, entry)
        if at >= len(order):
            self.blame("VF2", f"undo of {pod.path}, and {step.name} has {len(order)} to undo")
            return
        round_ = self._status.get("round", 1)
        early = [n for n in range(at) if (f"{step.undo}/{n}", round_) not in self._started]
        if early:
            self.blame("VF2", f"undo of {pod.path} begins before that of {early}")
        keys = self.keys.get(f"{step.name}/{order[at]}", {""})
        legal = [self._inputs(step, order[at], key, entry) for key in sorted(keys)]
        if pod.inputs not in legal:
            self.blame("I6", f"{pod.path} got {pod.inputs}, expected one of {legal}")

    def _inputs(self, step: Step, at: int, key: str, entry: Obj) -> dict[str, object]:
        """What the compensation of an item or of an iteration gets."""
        if not step.loops:
            return inputs_of_item(self._plan, step, at, key)
        known = at < len(section(entry, "loop").get("done", "").split())
        return inputs_of_iteration(self._plan, step, at, key, known=known)


def base_of(path: str) -> str:
    """The path of a compensation without that of an item in it."""
    head, _, last = path.rpartition("/")
    return head if last.isdecimal() and head.endswith("/compensate") else path


def is_main(path: str) -> bool:
    """Whether a path is that of a main node or of an item of one."""
    return "/compensate" not in path and path != CLEAN


def _by_path(status: Obj) -> dict[str, Obj]:
    return {entry["path"]: entry for entry in items(status, "nodes")}
