"""Items of maps as the API server stores them: read here by a second implementation of the status,
and judged write by write (VM1, VM2, VM3, VM6, VM9, VM10)."""

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from waypost.api import meta
from waypost.kube.names import job_name
from waypost.kube.objects import items, section, text
from waypost.ports.cluster import Kind, Obj

from tests.fakes.clock import EPOCH
from tests.fakes.faults import Written
from tests.fakes.nodes.programs import PodView, is_part, node_of, owner_of
from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.scenario.undo import compensations
from tests.simulation.watching.evidence import AttemptStory, Evidence
from tests.simulation.watching.machines import Machines

State = tuple[str, int]  # letter, number of attempts
_OPEN: Final = "RXBH"
_LARGEST_ENTRY: Final = 8 * 1024
_MOST_OPEN: Final = 100
_FRESH: Final = 20 * 1024


class ByPath(dict[str, Node]):
    """Nodes by name, and by the path of each item."""

    @classmethod
    def of(cls, scenario: Scenario) -> "ByPath":
        """The nodes and the compensations of a scenario."""
        return cls({node.name: node for node in (*scenario.nodes, *compensations(scenario))})

    def __missing__(self, path: str) -> Node:
        if not is_part(path):
            raise KeyError(path)
        return self[owner_of(path)]

    def place_of(self, metadata: Obj) -> tuple[str, int | None]:
        """Where the story of a Job or a pod belongs: an iteration to its node, an item to itself.

        Returns:
            The path of the node or the item, and the number of the iteration.
        """
        path = text(section(metadata, "annotations"), meta.ANNOTATION_PATH)
        name = owner_of(path)
        node, part = self.get(name), path[len(name) + 1 :]
        return (path, None) if node is None or node.is_map or not part else (name, int(part))

    def of_pod(self, pod: PodView) -> Node | None:
        """The node of a pod, or its item as a node."""
        node = self.get(owner_of(pod.path))
        if node is None or not node.is_map:
            return node
        return node.item(pod.path, pod.inputs.get("item", 0))


def states_of(text: str) -> list[State]:
    """The states of items, from their text."""
    states: list[State] = []
    for token in text.split():
        found = re.match(r"([A-Z])(\d*)(?:\*(\d+))?$", token)
        assert found is not None, f"not a state: {token}"
        letter = found[1]
        number = int(found[2]) if found[2] else (0 if letter in "PCH" else 1)
        states += [(letter, number)] * int(found[3] or 1)
    return states


def payload(record: Obj) -> Any:
    """The content of a NodeRecord."""
    spec = section(record, "spec")
    if "compressed" in spec:
        return json.loads(gzip.decompress(base64.b64decode(spec["compressed"])))
    return spec.get("data")


def running_paths(status: Obj) -> list[str]:
    """The paths of running nodes, and of the items of maps whose attempts have not ended."""
    running = []
    for entry in items(status, "nodes"):
        states = states_of(section(entry, "items").get("states", ""))
        path, live = entry["path"], [at for at, state in enumerate(states) if state[0] in "RX"]
        if entry["phase"] == "Running":
            running += [f"{path}/{at}" for at in live] if "items" in entry else [path]
    return running


def sealed_of(seen: Evidence, entry: Obj) -> Obj:
    """What was stored of the items of a map when it ended; {} if there is nothing."""
    name = section(entry, "items").get("sealed", "")
    found = payload(seen.records[name]) if name in seen.records else None
    return found if isinstance(found, dict) else {}


class MapWatch:
    """Follows the items of all maps of one run."""

    def __init__(
        self,
        scenario: Scenario,
        seen: Evidence,
        machines: Machines,
        tell: Callable[[str], None],
        blame: Callable[[str, str], None],
    ) -> None:
        self._nodes = scenario.by_name
        self._seen = seen
        self._machines = machines
        self._tell = tell
        self._blame = blame
        self._doomed: dict[str, int] = {}  # round in which a map was seen to have failed

    def written(self, write: Written) -> None:
        """Take note of a NodeRecord that the API server refuses, or does not show to the operator
        that has to know whether the one with this name is its own."""
        if write.request.kind is not Kind.NODE_RECORD:
            return
        name, held = write.request.name, self._seen.held_records
        known = write.result == "AlreadyExists" and not self._seen.unreadable_records
        if write.result == "Rejected":
            self._seen.refused_records[name] = write.at
        elif known or write.result in ("done", "unchanged"):
            held.pop(name, None)
        else:
            held[name] = (held.get(name, (write.at, 0.0))[0], write.at)

    def note(self, entry: Obj, now: float) -> Iterator[AttemptStory]:
        """Take note of a status; the attempts that it records for the first time."""
        stored, path = section(entry, "items"), entry["path"]
        if not stored:
            return
        self._seen.exercised["map"] = 1
        if "states" not in stored:
            self._end(entry, stored, now)
            return
        states = states_of(stored["states"])
        self._well_formed(entry, stored, states)
        started = list(self._attempts(path, stored, states, now))
        self._stops(path, stored, states, now)
        round_ = self._seen.round
        if started and self._doomed.get(path) == round_:
            names = ", ".join(story.path for story in started)
            self._blame("VM6", f"{names} started although {path} has failed")
        failed = sum(letter in "FU" for letter, _ in states)
        allowed = self._nodes[path].allowed_failures(len(states))
        if failed > allowed and entry["phase"] == "Running":
            self._doomed[path] = round_
            if not stored.get("doomed"):
                self._blame("VM6", f"{path}: {failed} items failed, and it is not doomed")
        yield from started

    def _attempts(
        self, path: str, stored: Obj, states: list[State], now: float
    ) -> Iterator[AttemptStory]:
        before = stored.get("before", 0)
        for known, story in self._seen.attempts.items():
            if node_of(known[0]) == path and "/" in known[0] and known[1] <= before:
                self._close((known[0], story.number), "C", "", now)  # of a list before
        for at, (letter, number) in enumerate(states):
            key = (f"{path}/{at}", before + number)
            if number and key not in self._seen.attempts:
                for earlier in range(1, number):
                    if (key[0], before + earlier) not in self._seen.attempts:
                        self._blame("I3", f"{key[0]}: attempt {key[1]} without the one before")
                story = AttemptStory(*key, self._job(*key), now)
                story.decided_at = self._seen.decided_at
                self._seen.attempts[key] = story
                self._tell(f"{key[0]} attempt {key[1]} is recorded")
                yield story
            if number:
                self._close(key, letter, self._reason(stored, at, letter), now)

    def _job(self, path: str, attempt: int) -> str:
        run = self._seen.run["metadata"]
        return job_name(run=run["name"], run_uid=run["uid"], path=path, attempt=attempt)

    def _well_formed(self, entry: Obj, stored: Obj, states: list[State]) -> None:
        path, node = entry["path"], self._nodes[entry["path"]]
        if len(states) != stored["total"]:
            self._blame("VM2", f"{path}: {len(states)} states of {stored['total']} items")
        listed = [int(text.split()[0]) for text in stored.get("open", [])]
        expected = [at for at, (letter, _) in enumerate(states) if letter in _OPEN]
        if listed != expected:
            self._blame("VM2", f"{path}: open items {listed}, by the states {expected}")
        running = sum(letter == "R" for letter, _ in states)
        if running > node.max_parallel or len(listed) > _MOST_OPEN:
            self._blame("VM3", f"{path}: {running} items run, {len(listed)} are open")
        without = {key: value for key, value in stored.items() if key != "fresh"}
        size, fresh = len(json.dumps(without)), len(json.dumps(stored.get("fresh", {})))
        if size > _LARGEST_ENTRY or fresh > _FRESH:
            self._blame("VM10", f"{path}: its items take {size} bytes, and {fresh} of results")
        for name in self._blocks(stored):
            if name not in self._seen.records:
                self._blame("VM9", f"{path}: results are in {name}, which is not there")

    def _stops(self, path: str, stored: Obj, states: list[State], now: float) -> None:
        for shown in stored.get("open", []):
            at = int(shown.split()[0])
            number = stored.get("before", 0) + states[at][1]
            story = self._seen.attempts.get((f"{path}/{at}", number))
            if story is not None and states[at][0] in "RX":
                since = timedelta(seconds=float(shown.split()[1]))
                story.launched_at = (datetime.fromisoformat(stored["at"]) + since).isoformat()
                story.stops.update(stops := re.findall(r" !(\w+)", shown))
                if stops and story.stopped_at is None:
                    story.stopped_at = now

    def _reason(self, stored: Obj, at: int, letter: str) -> str:
        if letter in "BH":
            text = next((t for t in stored.get("open", []) if t.split()[0] == str(at)), "")
            found = re.search(r" =(\w+)", text)
            return found[1] if found else ""
        if letter in "FU":
            end = self._results(stored).get(str(at), {})
            return str(section(end, "e").get("reason", ""))
        return {"S": "Succeeded", "C": "Cancelled"}.get(letter, "")

    def _results(self, stored: Obj) -> Obj:
        results = dict(stored.get("fresh") or stored.get("results") or {})
        for name in self._blocks(stored):
            results |= (payload(self._seen.records.get(name, {})) or {}).get("results", {})
        return results

    def _blocks(self, stored: Obj) -> list[str]:
        """The names of its blocks; each may name earlier ones."""
        names = list(stored.get("blocks", []))
        for name in names:  # which grows meanwhile
            names += (payload(self._seen.records.get(name, {})) or {}).get("earlier", [])
        return names

    def _close(self, key: tuple[str, int], letter: str, reason: str, now: float) -> None:
        story = self._seen.attempts.get(key)
        if story is None or story.finished_at is not None or letter in "RXP":
            return
        story.finished_at = now
        # The status of a map does not say when: not before it was recorded.
        story.ended_at = (EPOCH + timedelta(seconds=story.recorded_at)).isoformat()
        if letter == "C":
            known = ("Superseded", "DeadlineExceeded", "Cancelled", "NotChosen")
            # Without a stop it ended by itself, and its next attempt was cancelled: the states do
            # not say how it ended.
            reason = next((r for r in known if r in story.stops), "")
        story.reason = reason
        pods = self._seen.pods_of(*key)
        story.given_up = self._machines.have_lost(pods, now, self._seen.decided_at)
        self._tell(f"{key[0]} attempt {key[1]} ended: {reason}")

    def _end(self, entry: Obj, stored: Obj, now: float) -> None:
        """The map has ended: its last states are in a NodeRecord."""
        path = entry["path"]
        sealed = sealed_of(self._seen, entry)
        states = states_of(sealed.get("states", ""))
        for key, story in sorted(self._seen.attempts.items()):
            if node_of(key[0]) != path or "/" not in key[0]:
                continue
            at = int(key[0].partition("/")[2])
            letter = states[at][0] if at < len(states) else "C"
            if story.finished_at is None:
                self._close(key, letter, self._reason(sealed, at, letter), now)
            if key[1] > entry.get("attempt", 0):
                self._blame("VM1", f"{path}: attempt {key[1]} of {key[0]} is above the latest")
        for field, letters in (("succeeded", "S"), ("failed", "FU")):
            found = sum(letter in letters for letter, _ in states)
            if sealed and stored.get(field) != found:
                self._blame("VM2", f"{path}: {field} {stored.get(field)}, by the states {found}")
