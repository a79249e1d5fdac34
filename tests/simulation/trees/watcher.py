"""A watcher of the tree: judges every change as the API server stores it (VW1, VW3 to VW5)."""

from typing import Any, Final

from waypost.kube.objects import controller_uid, items, section, text
from waypost.ports.cluster import Kind, Obj
from waypost.protocol import ijson

from tests.simulation.trees.item_texts import Items, held_by_items
from tests.simulation.trees.plan import BEST, QUICK, SLOW
from tests.simulation.watching.evidence import FINAL, Violation
from tests.support.harness import World

GRACE: Final = 12.0
TOKENS: Final = 10  # that each program uses
_BUDGETS: Final = (("budget",), ("parent", "budget"))


class Watcher:
    """Receives every change before any operator does, and asks no operator."""

    def __init__(self, world: World) -> None:
        self.violations: list[Violation] = []
        self.runs: dict[str, Obj] = {}  # by uid, as stored last
        self.gone: dict[str, float] = {}  # uid -> when
        self.bodies: dict[str, Obj] = {}  # of templates, local or not, by name
        self._world = world
        self._stopped: dict[tuple[str, str], float] = {}  # parent uid and path -> since when
        self.items = Items(self)
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, invariant: str, text: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text, self._world.clock.monotonic()))

    def children(self, uid: str) -> list[Obj]:
        """The child runs of a run that exist."""
        return [r for r in self.runs.values() if _parent(r) == uid and _uid(r) not in self.gone]

    def below(self, uid: str) -> list[Obj]:
        """All runs below a run that exist."""
        found = self.children(uid)
        return [*found, *(deeper for run in found for deeper in self.below(_uid(run)))]

    def _below_alive(self, uid: str) -> list[Obj]:
        alive = [run for run in self.children(uid) if not _deleted(run)]
        return [*alive, *(deeper for run in alive for deeper in self._below_alive(_uid(run)))]

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind is Kind.AGENT_WORKFLOW:
            self._run(change, body)
        elif kind is Kind.JOB and change == "ADDED":
            self._job(body)

    def _run(self, change: str, body: Obj) -> None:
        uid = _uid(body)
        if change == "DELETED":
            self.gone[uid] = self._world.clock.monotonic()
            return
        before = self.runs.get(uid)
        self.runs[uid] = body
        if before is None and _parent(body):
            self._born(body)
        if section(body, "status", "template") != section(before or {}, "status", "template"):
            self._pinned(body)
        for node in items(body, "status", "nodes"):
            self._node(uid, before or {}, node)
            self.items.see(uid, node, self._world.clock.monotonic())
        self._budget(body)
        if _ended(body) and not (before and _ended(before)):
            # Garbage collection deletes the runs below a run that is being deleted.
            waits = [] if _deleted(body) else [r for r in self._below_alive(uid) if not _ended(r)]
            for run in waits:
                self.blame("VW1", f"{_name(body)} has ended, and {_name(run)} below it has not")

    def _born(self, body: Obj) -> None:
        path = text(section(body, "spec", "parent"), "path")
        for other in self.children(_parent(body)):
            same = text(section(other, "spec", "parent"), "path") == path
            # The path is that of the item that started it, which a new list may have moved.
            moved = self.items.index_of(other)
            same = same and (moved is None or path.endswith(f"/{moved}"))
            if same and _uid(other) != _uid(body) and not _ended(other):
                self.blame("VW1", f"{_name(body)} is created beside {_name(other)}")

    def _budget(self, body: Obj) -> None:
        """VW5: what a run has used and lent is within its budget, and within what is lent to it."""
        limits = [section(body, "spec", *path).get("tokens") for path in _BUDGETS]
        allowed = min((int(limit) for limit in limits if limit is not None), default=None)
        nodes = items(body, "status", "nodes")
        if allowed is None or not nodes:
            return
        spent = section(body, "status", "retiredUsage").get("totalTokens", 0)
        spent += sum(section(node, "usage").get("totalTokens", 0) for node in nodes)
        held = sum(_held(node) for node in nodes)
        if spent + held > allowed + len(nodes):  # a share of less than one counts as one
            text_ = f"{_name(body)} has used {spent} tokens and reserved {held}, of {allowed}"
            self.blame("VW5", text_)

    def _pinned(self, body: Obj) -> None:
        """A child run is pinned to the template that its node calls: VW4."""
        pin, calls = section(body, "status", "template"), section(body, "spec", "templateRef")
        local = section(body, "spec", "parent").get("local") is True
        name = text(calls, "name")
        if pin.get("digest") != ijson.digest(self.bodies[name]):
            self.blame("VW4", f"{_name(body)} is pinned to another content than that of {name}")
        if (pin.get("uid") == _parent(body)) != local:
            self.blame("VW4", f"{_name(body)} took {name} from {pin.get('uid')}, local: {local}")
        records = self._world.all(Kind.NODE_RECORD)
        if all(record["metadata"]["name"] != pin.get("record") for record in records):
            self.blame("VW4", f"{_name(body)} names a record that does not exist")

    def _node(self, uid: str, before: Obj, node: Obj) -> None:
        self._iteration(before, node)
        if node["path"] == BEST:
            self._choice(uid, before, node)
        elif node.get("reason") == "NotChosen" and node["phase"] not in ("Cancelled", "Running"):
            self.blame("VC1", f"{node['path']} is {node['phase']} with NotChosen")
        child, path = section(node, "child"), str(node["path"])
        if not child:
            return
        if node["phase"] == "Running" and not child.get("stopping"):
            self._stopped.pop((uid, path), None)
        else:
            self._stopped.setdefault((uid, path), self._world.clock.monotonic())
        old = next((n for n in items(before, "status", "nodes") if n["path"] == path), {})
        ended = node["phase"] in ("Succeeded", "Failed") and old.get("phase") == "Running"
        if not ended or not child.get("uid"):
            return
        run = self.runs.get(child["uid"], {})
        status = section(run, "status")
        by_child = node["phase"] == "Succeeded" or node.get("reason") == "ChildFailed"
        if by_child and status.get("round", 1) < child["round"]:
            text_ = f"{path} took the end of round {status.get('round', 1)} of {_name(run)}"
            self.blame("VW3", f"{text_}, round {child['round']} was requested")

    def _choice(self, uid: str, before: Obj, node: Obj) -> None:
        """VC1: the write that chooses ends or stops the other candidate; the choice stays."""
        chosen = section(node, "first").get("chosen")
        old = next((n for n in items(before, "status", "nodes") if n["path"] == BEST), {})
        was = section(old, "first").get("chosen")
        if was is not None and chosen != was and old.get("round") == node.get("round"):
            self.blame("VC1", f"{BEST} chose {was}, and now {chosen}")
        if chosen is None or was == chosen:
            return
        entries = {n["path"]: n for n in items(self.runs[uid], "status", "nodes")}
        if entries[chosen]["phase"] != "Succeeded":
            self.blame("VC1", f"{BEST} chose {chosen}, which is {entries[chosen]['phase']}")
        slow = entries[SLOW]
        stopped = slow["phase"] in FINAL or section(slow, "child").get("stopping")
        if chosen == QUICK and not stopped:
            self.blame("VC1", f"{BEST} chose {chosen}, and {SLOW} is {slow['phase']}")

    def _iteration(self, before: Obj, node: Obj) -> None:
        """VL2: the number of a loop rises by one, after the child run of the iteration has ended
        well in the round that was requested."""
        loop, path = section(node, "loop"), node["path"]
        old = next((n for n in items(before, "status", "nodes") if n["path"] == path), {})
        was = section(old, "loop")
        if not loop or not was or loop["number"] <= was["number"]:
            return
        child = section(old, "child")
        run = self.runs.get(child.get("uid", ""), {})
        status = section(run, "status")
        well = status.get("phase") == "Succeeded" and status.get("round", 1) >= child["round"]
        if loop["number"] != was["number"] + 1 or not well:
            self.blame("VL2", f"{path} is in iteration {loop['number']} after {was['number']}")

    def _job(self, body: Obj) -> None:
        run = self.runs.get(controller_uid(body), {})
        parent = _parent(run)
        if not parent:
            return
        path = text(section(run, "spec", "parent"), "path")
        now = self._world.clock.monotonic()
        since = self.gone.get(parent, self._stopped.get((parent, path)))
        if since is None:
            since = self.items.stopped.get(_uid(run))
        if since is not None and now > since + GRACE:
            self.blame("VW1", f"{_name(run)} starts a program, and no run waits for it")


def _held(node: Obj) -> int:
    """The tokens that the open attempts and the child run of a node may still use."""
    attempts = [a for a in items(node, "attempts") if not a.get("finishedAt")]
    held = sum(int(section(a, "allotment").get("tokens", 0)) for a in attempts)
    lent = section(node, "child", "budget").get("tokens")
    if lent is not None and node["phase"] == "Running":
        earlier = section(node, "child", "earlier").get("totalTokens", 0)
        used = section(node, "usage").get("totalTokens", 0) - earlier
        held += max(int(lent) - used, 0)
    return held + held_by_items(node)


def _uid(run: Obj) -> str:
    return text(section(run, "metadata"), "uid")


def _name(run: Obj) -> str:
    return text(section(run, "metadata"), "name")


def _parent(run: Obj) -> str:
    return text(section(run, "spec", "parent"), "uid")


def _ended(run: Obj) -> Any:
    return section(run, "status").get("finishedAt") or _deleted(run)


def _deleted(run: Obj) -> Any:
    return section(run, "metadata").get("deletionTimestamp")
