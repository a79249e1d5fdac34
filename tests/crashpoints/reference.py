"""The reference run of the unit tests, with an agent in it, at a pace for real time."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from tests.crashpoints.api import Obj
from tests.fakes.nodes.programs import Ledger
from tests.support import reference
from tests.support.builders import agent
from tests.support.harness import Script, fails, gives

PROVIDER: Final[Obj] = {
    "apiVersion": "waypost.dev/v1alpha1",
    "kind": "ModelProvider",
    "metadata": {"name": "main"},
    "spec": {"type": "OpenAI", "baseURL": "http://127.0.0.1:9/v1"},
}
SCRIPT: Final[Script] = {
    "start": [gives({"n": 7}, seconds=0.0)],
    "left": [gives(1, seconds=0.3)],
    "right": [fails(seconds=0.0), gives(2, seconds=0.0)],
    "join": [gives(3, seconds=0.0)],
    "tool": [gives({"made": True, "note": None}, seconds=0.2)],
    "broken": [fails(seconds=0.0)],
    "large": [gives(reference.LARGE, seconds=0.0)],
    "reader": [gives("read", seconds=0.1)],
    "publish": [gives("published", seconds=0.0)],
}
_NAMES: Final = {"job", "approval", "outputRecord", "uid"}  # they hold a hash of the run's uid


def spec() -> Obj:
    """Twelve nodes: parallel branches, a join, a retry, a failure that is tolerated, an output too
    large for status, an agent, a gate, a wait, conditions."""
    made = deepcopy(reference.SPEC)
    nodes = made["nodes"]
    assert isinstance(nodes, list)
    for index, node in enumerate(nodes):
        match node["name"]:
            case "right":
                node["retry"] = {"limit": 2, "backoff": {"initial": "200ms"}}
            case "pause":
                node["wait"] = {"duration": "200ms"}
            case "reader":
                text = {"text": "${nodes.large.output}"}
                nodes[index] = agent("reader", prompt="Read: ${self.inputs.text}", inputs=text)
    return made


def masked(value: Any) -> Any:
    """A status without times, and without names that hold the run's uid."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = reference.masked(value)
    return {key: masked(item) for key, item in found.items() if key not in _NAMES}


@dataclass(frozen=True)
class End:
    """All that is left of a run."""

    run: Obj
    jobs: list[Obj]
    pods: list[Obj]
    records: list[Obj]

    @property
    def uid(self) -> str:
        return str(self.run["metadata"]["uid"])

    @property
    def status(self) -> Obj:
        found: Obj = self.run["status"]
        return found


def problems(end: End, ledger: Ledger, expected: Any) -> list[str]:
    """What is wrong with a run that has ended, whatever went wrong on the way."""
    found: list[str] = []
    seen = {n["path"]: (n["phase"], n.get("reason"), n.get("attempt")) for n in end.status["nodes"]}
    wanted = {path: last[:3] for path, last in reference.ENDS.items()}
    if seen != wanted:
        found.append(f"nodes: {sorted(set(seen.items()) ^ set(wanted.items()))}")
    if expected is not None and masked(end.status) != expected:
        found.append(f"the end differs: {_difference(masked(end.status), expected)}")
    outputs = {n["path"]: n.get("output") for n in end.status["nodes"]}
    for path, (_, _, _, output) in reference.ENDS.items():
        if path not in ("ok", "pause") and outputs.get(path) != output:
            found.append(f"lost result: {path} is {outputs.get(path)!r}")
    counts = {key[1:]: n for key, n in ledger.counts().items() if key[0] == end.uid}
    attempts = {(p, n) for p, last in reference.ENDS.items() for n in range(1, (last[2] or 0) + 1)}
    if counts != dict.fromkeys(attempts, 1):
        found.append(f"executions: {counts}")
    overlaps = [pair for pair in ledger.overlaps() if pair[0].run_uid == end.uid]
    if overlaps:
        found.append(f"overlaps: {overlaps}")
    results = [r["spec"] for r in end.records if r["spec"]["type"] != "Log"]
    if [spec.get("data") for spec in results] != [reference.LARGE]:
        found.append(f"records of results: {len(results)}")
    if len(end.jobs) != len(attempts):
        found.append(f"Jobs: {sorted(job['metadata']['name'] for job in end.jobs)}")
    held = [p for p in end.pods if "waypost.dev/result" in p["metadata"].get("finalizers", [])]
    if held:
        found.append(f"pods that are still held: {[p['metadata']['name'] for p in held]}")
    return found


def _difference(found: Any, wanted: Any, at: str = "") -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in sorted(found.keys() | wanted.keys()):
            if found.get(key) != wanted.get(key):
                return _difference(found.get(key), wanted.get(key), f"{at}/{key}")
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for index, (one, other) in enumerate(zip(found, wanted, strict=True)):
            if one != other:
                return _difference(one, other, f"{at}/{index}")
    return f"{at}: {found!r} instead of {wanted!r}"
