"""The snapshot: what a run has read of its memory when it began, and how expressions see it.

A NodeRecord holds it, so a retry, another operator and a later round see the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from waypost.api.base import JsonObject, JsonValue
from waypost.api.modifiers.memory import RunMemory
from waypost.kube.memory.entries import Entry
from waypost.protocol import ijson

Fits = Callable[[str, JsonValue], bool]


@dataclass(frozen=True)
class Snapshot:
    """What a run reads.

    Attributes:
        value: The content of the NodeRecord.
        entries: The names of the MemoryEntries in it, the newest first.
        episodes: The number of Episodes.
        facts: The number of Facts.
        cut: The number of entries that were left out because of `maxBytes`.
        misfits: (entry, key) of each remembered value that the workflow of today cannot use.
    """

    value: JsonObject
    entries: tuple[str, ...]
    episodes: int
    facts: int
    cut: int = 0
    misfits: tuple[tuple[str, str], ...] = ()


def take(
    readable: Iterable[Entry], memory: RunMemory, *, scope: str, key: str, fits: Fits
) -> Snapshot:
    """The snapshot of a run.

    Args:
        readable: What the run may read, the newest first (`phases.readable`).
        memory: The block of the run, for its bounds.
        scope: Its scope.
        key: Its key, evaluated.
        fits: Whether a key of an Episode may have this value.
    """
    listed = list(readable)
    every = [one for one in listed if one.spec.type == "Episode"]
    episodes = every[: memory.episodes]
    succeeded = next((one for one in every if one.spec.succeeded), None)
    facts = [one for one in listed if one.spec.type == "Fact"][: memory.facts]
    # The last Episode, and the last one that succeeded, are what the workflow continues from.
    kept = [*episodes[:1], *([succeeded] if succeeded is not None else [])]
    rest = [one for one in (*episodes, *facts) if one not in kept]
    rest.sort(key=lambda one: one.age, reverse=True)
    misfits: list[tuple[str, str]] = []
    forms = {one.name: _form(one, fits, misfits) for one in (*kept, *rest)}
    size = sum(len(ijson.canonical(forms[name])) for name in {one.name for one in kept})
    cut = 0
    for one in rest:
        size += len(ijson.canonical(forms[one.name]))
        if cut or size > memory.max_bytes:
            cut += 1  # and all that are older
        else:
            kept.append(one)
    names = {one.name for one in kept}
    shown = [one for one in episodes if one.name in names]
    stated = [one for one in facts if one.name in names]
    value: JsonObject = {
        "scope": scope,
        "key": key,
        "episodes": [forms[one.name] for one in shown],
        "facts": [forms[one.name] for one in stated],
    }
    if succeeded is not None:
        value["lastSucceeded"] = forms[succeeded.name]
    ordered = sorted({one.name: one for one in kept}.values(), key=lambda one: one.age)
    return Snapshot(
        value=value,
        entries=tuple(one.name for one in reversed(ordered)),
        episodes=len({*(one.name for one in shown), *([succeeded.name] if succeeded else [])}),
        facts=len(stated),
        cut=cut,
        misfits=tuple(dict.fromkeys(one for one in misfits if one[0] in names)),
    )


def _form(one: Entry, fits: Fits, misfits: list[tuple[str, str]]) -> JsonObject:
    """An entry in the snapshot. The value of a fact with the default schema is its text."""
    spec, value = one.spec, dict(one.spec.value or {})
    run = spec.source.run or ""
    if spec.type == "Episode":
        misfits += [(one.name, key) for key in value if not fits(key, value[key])]
        return {
            "entry": one.name,
            "run": run,
            "finishedAt": spec.source.at,
            "scheduledAt": spec.scheduled_at or spec.source.at,
            "succeeded": bool(spec.succeeded),
            "outputs": {key: value[key] for key in value if (one.name, key) not in misfits},
        }
    said = value.get("text")
    return {
        "entry": one.name,
        **({"subject": spec.subject} if spec.subject is not None else {}),
        "text": said if isinstance(said, str) else ijson.canonical(value).decode(),
        **({"value": value} if not isinstance(said, str) or len(value) > 1 else {}),
        "since": spec.source.at,
        "source": {"run": run, "path": spec.source.path or ""},
    }


def view(snapshot: JsonValue) -> JsonValue:
    """The variable `memory` of expressions, from the content of the NodeRecord.

    What is no snapshot, such as an Unavailable, is returned as it is.
    """
    if not isinstance(snapshot, dict):
        return snapshot
    episodes = [_shown(one) for one in snapshot["episodes"]]
    facts = [_shown(one) for one in snapshot["facts"]]
    seen: JsonObject = {"key": snapshot["key"], "episodes": episodes, "facts": facts}
    if episodes:
        seen["last"] = episodes[0]
    if "lastSucceeded" in snapshot:
        seen["lastSucceeded"] = _shown(snapshot["lastSucceeded"])
    # The newest comes first, and counts.
    seen["bySubject"] = {one["subject"]: one for one in reversed(facts) if "subject" in one}
    return seen


def _shown(one: JsonObject) -> JsonObject:
    return {key: value for key, value in one.items() if key != "entry"}
