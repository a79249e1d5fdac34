"""The child runs of items of maps, from the texts in the status of their parent (VW1, VW3, VW5). A
second implementation, which shares no code with the operator."""

import re
from typing import Any, Final, Protocol

from waypost.kube.objects import section
from waypost.ports.cluster import Obj

from tests.simulation.reference.maps import states_of

_RUNNING: Final = "RX"  # letters of items whose child run has not ended
_CHILD: Final = re.compile(r"^(\d+) .*?~\d+/\d+/(\d+)/([^/ ]+)/")
_LENT: Final = re.compile(r" \$(\d+)")
_USED: Final = re.compile(r" %[^ ]*?t(\d+)")


class Blames(Protocol):
    """What knows all runs, and notes violations."""

    runs: dict[str, Obj]

    def blame(self, invariant: str, text: str) -> None:
        """Note a violation."""


class Items:
    """Which child runs the items of all maps wait for."""

    def __init__(self, watcher: Blames) -> None:
        self.places: dict[str, int] = {}  # maxParallel of each map, by name
        self.stopped: dict[str, float] = {}  # uid of a child run -> since when none waits for it
        self._watcher = watcher
        self._waits: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}

    def see(self, uid: str, node: Obj, now: float) -> None:
        """Compare the child runs of a map with those of the last status of its run."""
        texts = section(node, "items").get("open") or ()
        found = [(match, one) for one in texts if (match := _CHILD.match(one))]
        waits = {match[3]: (int(match[1]), int(match[2])) for match, _ in found}
        running = {match[3] for match, one in found if " !" not in one}
        key = uid, str(node["path"])
        most = self.places.get(key[1])
        if most is not None and len(waits) > most:
            self._watcher.blame("VM3", f"{len(waits)} items of {key[1]} run, of {most}")
        for child in waits:
            if child in running and node["phase"] == "Running":
                self.stopped.pop(child, None)
            else:
                self.stopped.setdefault(child, now)
        for child, (index, round_) in self._waits.get(key, {}).items():
            if child not in waits:
                self.stopped.setdefault(child, now)
                self._ended(child, f"{node['path']}/{index}", round_, node)
        self._waits[key] = waits

    def index_of(self, child: Obj) -> int | None:
        """The index of the item that waits for a child run now; None if none does."""
        parent = section(child, "spec", "parent")
        key = str(parent["uid"]), str(parent["path"]).partition("/")[0]
        found = self._waits.get(key, {}).get(str(section(child, "metadata")["uid"]))
        return found[0] if found is not None else None

    def _ended(self, child: str, item: str, round_: int, node: Obj) -> None:
        """VW3: a result is that of the requested round or of a later one."""
        status: Any = section(self._watcher.runs.get(child, {}), "status")
        ended_well = status.get("phase") == "Succeeded"
        if ended_well and status.get("round", 1) < round_ and node["phase"] != "Superseding":
            text = f"{item} took the end of round {status.get('round', 1)}"
            self._watcher.blame("VW3", f"{text}, round {round_} was requested")


def held_by_items(node: Obj) -> int:
    """The tokens that the child runs of the open items of a map may still use. One that waits to
    continue has ended, and its next round gets another share."""
    found = section(node, "items")
    states = states_of(found.get("states", ""))
    return sum(
        _held(text)
        for text in found.get("open") or ()
        if states[int(text.partition(" ")[0])][0] in _RUNNING
    )


def _held(text: str) -> int:
    lent, used = _LENT.search(text), _USED.search(text)
    if lent is None or _CHILD.match(text) is None:
        return 0
    return max(int(lent[1]) - (int(used[1]) if used else 0), 0)
