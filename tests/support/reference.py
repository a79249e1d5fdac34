"""The reference run: twelve nodes that use most of what a run can do, and how it must end."""

from typing import Any, Final

from waypost.ports.cluster import Kind, Obj

from tests.support.builders import container, gate, python, spec, wait
from tests.support.harness import Script, World, fails, gives

LARGE: Final = "x" * 3000  # fits a commit record, not a status

SPEC: Final = spec(
    python("start"),
    python("left", inputs={"n": "${nodes.start.output.n}"}),
    python(
        "right",
        inputs={"n": "${nodes.start.output.n}"},
        retry={"limit": 2, "backoff": {"initial": "2s"}},
    ),
    python("join", inputs={"l": "${nodes.left.output}", "r": "${nodes.right.output}"}),
    container("tool", command=["work"], inputs={"n": "${nodes.start.output.n}"}),
    python("broken", onFailure="Continue", fallbackOutput={"n": 0}),
    python("large", inputs={"n": "${nodes.broken.output.n}"}),
    python("reader", inputs={"text": "${nodes.large.output}"}),
    gate("ok", message="Publish ${nodes.join.output}?", timeout="24h"),
    wait("pause", duration="30s", dependsOn=["ok"]),
    python("publish", when="${nodes.ok.output.decision == 'Approved'}", dependsOn=["pause"]),
    python("never", when="${nodes.start.output.n > 100.0}"),
    outputs={"sum": "${nodes.join.output}", "tool": "${nodes.tool.output}"},
    # Requests that fail for ten minutes would end a node before the cluster works again.
    defaults={"queueTimeout": "4h"},
)

SCRIPT: Final[Script] = {
    "start": [gives({"n": 7})],
    "left": [gives(1, seconds=3)],
    "right": [fails(), gives(2)],
    "join": [gives(3)],
    "tool": [gives({"made": True, "note": None}, seconds=2)],
    "broken": [fails()],
    "large": [gives(LARGE)],
    "reader": [gives("read")],
    "publish": [gives("published")],
}

# path -> phase, reason, number of attempts, output
ENDS: Final[dict[str, tuple[str, str | None, int | None, Any]]] = {
    "start": ("Succeeded", None, 1, {"n": 7}),
    "left": ("Succeeded", None, 1, 1),
    "right": ("Succeeded", None, 2, 2),
    "join": ("Succeeded", None, 1, 3),
    "tool": ("Succeeded", None, 1, {"made": True, "note": None}),
    "broken": ("Failed", "NodeError", 1, None),
    "large": ("Succeeded", None, 1, None),  # in a NodeRecord
    "reader": ("Succeeded", None, 1, "read"),
    "ok": ("Succeeded", None, None, None),  # has times in it
    "pause": ("Succeeded", None, None, None),
    "publish": ("Succeeded", None, 1, "published"),
    "never": ("Skipped", "ConditionFalse", None, None),
}
PODS: Final = sum(end[2] or 0 for end in ENDS.values())
_TIMES: Final = {
    "launchedAt",
    "startedAt",
    "roundStartedAt",
    "finishedAt",
    "endedAt",
    "lastTransitionTime",
    "wakeAt",
    "podUid",
}
_TIMED: Final = ("ok", "pause")  # nodes whose output has a time in it


def masked(value: Any) -> Any:
    """A status without what may differ from run to run: times, and pods that were replaced."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    timed = value.get("path") in _TIMED
    dropped = _TIMES | ({"output", "outputDigest", "inputDigest"} if timed else set())
    return {key: masked(item) for key, item in value.items() if key not in dropped}


async def play(world: World, *, within: float = 7200.0) -> Obj:
    """Submit the reference run, answer its gate, and give its final status."""
    await world.submit(SPEC)
    world.helper(world.answer(decision="Approved", decidedBy="ann"))
    return await world.finished(within=within)


def check(world: World, status: Obj) -> None:
    """Everything that must hold of the reference run, whatever went wrong on the way."""
    found = {n["path"]: (n["phase"], n.get("reason"), n.get("attempt")) for n in status["nodes"]}
    assert found == {path: end[:3] for path, end in ENDS.items()}
    assert status["phase"] == "Succeeded"
    assert status["outputs"] == {"sum": 3, "tool": {"made": True, "note": None}}
    outputs = {n["path"]: n.get("output") for n in status["nodes"]}
    for path, (_, _, _, output) in ENDS.items():
        if path not in _TIMED:
            assert outputs[path] == output, path
    assert outputs["ok"]["decision"] == "Approved"
    check_ledger(world)
    records = world.all(Kind.NODE_RECORD)
    assert [record["spec"]["data"] for record in records] == [LARGE], "the large output is kept"


def check_ledger(world: World) -> None:
    """No program started twice, none beside another of its node, and attempts are 1..n."""
    assert world.ledger.doubled() == []
    assert world.ledger.overlaps() == []
    counts = world.ledger.counts()
    for run, path, number in counts:
        assert number == 1 or (run, path, number - 1) in counts, "attempts have no gaps"
