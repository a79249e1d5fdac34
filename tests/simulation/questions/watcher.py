"""A watcher of questions: judges every change as the API server stores it (VQ1 to VQ5)."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj

from tests.simulation.questions.guards import GuardWatch
from tests.simulation.questions.levels import LevelWatch, level_of
from tests.simulation.questions.plan import RUN, Plan
from tests.simulation.watching.evidence import FINAL, Violation
from tests.support.guarding import KINDS
from tests.support.harness import World

_TOKEN: Final = re.compile(r"([A-Z])(\d+)?(?:\*(\d+))?")
_ALL: Final = 100


def letters(entry: Obj) -> str:
    """One letter for each item of a map in progress; "" if it has no list."""
    text = section(entry, "items").get("states") or ""
    found = (_TOKEN.fullmatch(token) for token in text.split())
    return "".join(one[1] * int(one[3] or 1) for one in found if one is not None)


class Watcher:
    """Receives every change before any operator does, and asks no operator."""

    def __init__(self, world: World, planned: Plan) -> None:
        self.violations: list[Violation] = []
        self.said: dict[str, tuple[str, float]] = {}  # the last answer that can count, by uid
        self.recorded: dict[tuple[str, int], Obj] = {}  # final status by path and round
        self.approved: list[str] = []  # the texts that were approved
        self.taken: list[str] = []  # those whose items have succeeded by that
        self.texts: dict[tuple[str, int], str] = {}  # by path and round
        self.deleted: set[tuple[str, int]] = set()
        self.guards = GuardWatch()
        self.levels = LevelWatch(world, planned)
        self._world, self._plan = world, planned
        self._status: Obj = {}
        self._approvals: dict[str, Obj] = {}
        world.cluster.server.storage.listeners.insert(0, self._changed)

    def blame(self, invariant: str, text: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(invariant, text, self._world.clock.monotonic()))

    @property
    def open(self) -> list[str]:
        """The Approvals whose status is Open."""
        return [name for name, one in self._approvals.items() if _state(one) == "Open"]

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if kind in KINDS:
            self.guards.changed(kind, change, body)
        if kind is Kind.APPROVAL:
            self._approval(change, body)
        if kind is not Kind.AGENT_WORKFLOW or body["metadata"]["name"] != RUN:
            return
        old, new = self._status, section(body, "status")
        if change == "DELETED" or old == new:
            return
        self._status = new
        for text in self._map(_entry(old), _entry(new)):
            self.blame("VQ2" if text.startswith("answer") else "VQ1", text)

    # --- the items -------------------------------------------------------------------------------

    def _map(self, old: Obj, new: Obj) -> Iterator[str]:
        now = letters(new)
        listed = section(new, "items")
        if not now:
            return
        if len(now) != listed["total"]:
            yield f"{len(now)} states of {listed['total']} items"
        opened = {int(text.split()[0]) for text in listed.get("open") or ()}
        waiting = {at for at, letter in enumerate(now) if letter in "WRXBH"}
        if opened != waiting:
            yield f"open are {sorted(opened)}, and {sorted(waiting)} have begun and not ended"
        most = self._plan.max_parallel or _ALL
        if now.count("W") > most:
            yield f"{now.count('W')} questions are open, at most {most} may be"
        before, phases = letters(old), {old.get("phase"), new.get("phase")}
        if not before or old.get("round") != new.get("round") or phases != {"Running"}:
            return
        if listed.get("doomed") and section(old, "items").get("doomed"):
            new_ = [
                at
                for at, (a, b) in enumerate(zip(before, now, strict=False))
                if a == "P" and b == "W"
            ]
            if new_:
                yield f"items {new_} were asked although the map was ending"
        for at, (was, is_) in enumerate(zip(before, now, strict=False)):
            if was in "SFC" and is_ != was:
                yield f"item {at} was {was} and is {is_}"
            if was == "W" and is_ in "SFC":
                yield from self._ended(at, is_, new.get("round") or 1)

    def _ended(self, at: int, letter: str, round_: int) -> Iterator[str]:
        """An item has stopped waiting: its Approval must say so already."""
        key = (f"ask/{at}", round_)
        recorded = self.recorded.get(key)
        if recorded is None:
            if self._shows_nothing(key, letter):
                yield f"answer: item {at} became {letter}, and its Approval of {round_} is open"
            return
        if letter == "S" and recorded["state"] == "Approved":
            self.taken.append(self.texts[key])
        if letter != self.letter_for(recorded):
            yield f"answer: item {at} became {letter}, and its Approval says {recorded}"

    def _shows_nothing(self, key: tuple[str, int], letter: str) -> bool:
        """Whether an Approval exists that should say how its item ended. If its status cannot be
        written, the item ends at the expiry all the same (S69)."""
        found = max(
            (o for o in self._approvals.values() if _key(o) == key), key=level_of, default=None
        )
        if found is None or "lost_answer" not in self._plan.kinds:
            return found is not None
        due, expired = _due(found), {"state": "Denied", "expired": True}
        late = due is not None and self._world.clock.now().timestamp() >= due
        return not late or letter != self.letter_for(expired)

    def letter_for(self, recorded: Obj) -> str:
        """What becomes of an item whose Approval has this status."""
        if recorded["state"] == "Withdrawn":
            return "C"
        if recorded["state"] == "Approved":
            return "S"
        ends = recorded.get("expired") and self._plan.fails  # of the last level
        return "S" if self._plan.continues and not ends else "F"

    # --- the Approvals ---------------------------------------------------------------------------

    def _approval(self, change: str, body: Obj) -> None:
        name, spec = body["metadata"]["name"], body["spec"]
        key = _key(body)
        if change == "DELETED":
            self._approvals.pop(name, None)
            self.deleted.add(key)
            return
        if name not in self._approvals and change == "ADDED":
            self._asked(key)
            for text in self.levels.asked(body):
                self.blame("VQ5", text)
        self.guards.approval(self._approvals.get(name), body)
        self._approvals[name] = body
        self.texts[key] = spec["message"]
        uid, said = body["metadata"]["uid"], spec.get("decision")
        if said and _state(body) == "Open" and self.said.get(uid, ("",))[0] != said:
            self.said[uid] = (said, self._world.clock.now().timestamp())
        status = section(body, "status")
        for text in self.levels.changed(body):
            self.blame("VQ5", text)
        if status.get("escalatedTo"):
            return  # the next level says how the item ends
        if _state(body) != "Open" and key not in self.recorded:
            self.recorded[key] = dict(status)
            self._recorded(body, status)
        was = self.recorded.get(key, status).get("state")
        if key in self.recorded and key not in self.deleted and was != _state(body):
            self.blame("VQ3", f"{key} was {was} and is {_state(body)}")

    def _asked(self, key: tuple[str, int]) -> None:
        at, now = int(key[0].partition("/")[2]), letters(_entry(self._status))
        if (
            (_entry(self._status).get("round") or 1) == key[1]
            and now
            and now[at : at + 1] in ("P", "")
        ):
            self.blame("VQ1", f"{key} was asked, and no status says that it waits")

    def _recorded(self, body: Obj, status: Obj) -> None:
        name, due = body["metadata"]["name"], _due(body)
        said, at = self.said.get(body["metadata"]["uid"], ("", 0.0))
        if status["state"] == "Withdrawn":
            return
        if status.get("expired"):
            if due is None or self._world.clock.now().timestamp() < due:
                self.blame("VQ3", f"{name} expired early")
            if level_of(body) < len(self._plan.levels):
                self.blame("VQ5", f"{name} expired, and the next level was not asked")
            if said and due is not None and int(at) + 1 < int(due) and not self._plan.may_miss:
                self.blame("VQ3", f"{name} expired, and {said} came in time")
            return
        for text in self.guards.recorded(body) if self._plan.strict else ():
            self.blame("VQ4", text)
        if status["state"] != said:
            self.blame("VQ3", f"{name} is {status['state']}, people said {said!r}")
        if due is not None and at > due:
            self.blame("VQ3", f"{name} is {said}, which came late")
        if status["state"] == "Approved":
            self.approved.append(body["spec"]["message"])

    def still_waits(self) -> bool:
        """Whether the map has not ended."""
        return _entry(self._status).get("phase") not in FINAL


def _entry(status: Obj) -> Obj:
    return next((one for one in items(status, "nodes") if one["path"] == "ask"), {})


def _due(approval: Obj) -> float | None:
    expires = approval["spec"].get("expiresAt")
    return datetime.fromisoformat(expires).timestamp() if expires else None


def _key(approval: Obj) -> tuple[str, int]:
    """The path and the round of the item that asks."""
    return approval["spec"]["path"], int(approval["metadata"]["labels"]["waypost.dev/round"])


def _state(approval: Obj) -> str:
    return str(section(approval, "status").get("state") or "Open")
