"""What the programs of a simulated run do, and what follows from that alone.

The simulated kubelet gets `outcome`. `meaning` is the same in the words of the node protocol,
written again from docs/node-protocol.md and not taken from the engine.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Final

from waypost.protocol.artifacts.request import Content
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.protocol.work import Usage

from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.scenario.folders import NAME, content, taken_by
from tests.simulation.scenario.plan import Act, Node

PADDING: Final = "x" * 2600  # fits a commit record, and no status
TOKENS: Final = 120  # that an agent uses up in each attempt, if it may
_ECHOED: Final = 1500


@dataclass(frozen=True)
class Gave:
    """A valid output."""

    output: Any

    @property
    def digest(self) -> str:
        return digest(self.output)


@dataclass(frozen=True)
class Broke:
    """No output, for this reason."""

    reason: str


Meaning = Gave | Broke


def digest(value: Any) -> str:
    """sha256 over the RFC 8785 form; what programs here give is ASCII and integers."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def act_of(node: Node, attempt: int) -> Act:
    """What the node's program does in an attempt."""
    return node.acts[min(attempt, len(node.acts)) - 1]


def output_of(node: Node, act: Act, inputs: Any) -> Any:
    """What a program that comes to its end gives."""
    if act.name == "null":
        return None
    if act.name == "invalid":
        return {"n": "no number"}
    if node.kind == "http":
        return {"status": 200, "headers": {}, "body": {"n": act.n}}
    if act.name == "big":
        return {"n": act.n, "padding": PADDING}
    if act.name == "holes":
        return {"n": act.n, "hole": None, "holes": [None, {"hole": None}]}
    if act.name == "echoes":
        short = len(json.dumps(inputs)) < _ECHOED  # or no record would hold it
        return {"n": act.n, "got": inputs if short else None}
    return {"n": act.n}


def ends_by_itself(act: Act) -> bool:
    """Whether the program ends although nobody stops it."""
    return act.name not in ("hangs", "saves", "vanishes")


def meaning(node: Node, act: Act, inputs: Any) -> Meaning:
    """How an attempt ends that nobody disturbs."""
    plain = node.kind == "container"
    if act.name in _BROKEN:
        return Broke(_BROKEN[act.name])
    match act.name:
        case "dies":  # with its record written: the record decides, where there is one
            return Broke("NodeError") if plain else _checked(node, output_of(node, act, inputs))
        case "silent":
            return _checked(node, None) if plain else Broke("ResultLost")
        case "garbage":
            return _checked(node, '{"n":') if plain else Broke("ResultLost")
        case _:
            return _checked(node, output_of(node, act, inputs))


_BROKEN: Final = {
    "fails": "NodeError",
    "limited": "RateLimited",
    "keyless": "KeyMissing",
    "oom": "OutOfMemory",
    "foreign": "ResultLost",
    "huge": "OutputTooLarge",
    "stuck": "Unschedulable",
    "imageless": "ImagePull",
    "unstartable": "NodeError",
    "initless": "PodRejected",
    "hangs": "Timeout",
    "saves": "Timeout",
    "repeats": "ContainerRestarted",
    "vanishes": "ContainerRestarted",
}


def exit_code_of(node: Node, act: Act) -> int | None:
    """The exit code that decides how the attempt of a container ends."""
    if node.kind != "container":
        return None
    return {"fails": act.code, "dies": 137}.get(act.name)


def stopped_meaning(node: Node, act: Act, inputs: Any) -> Meaning | None:
    """The result that a program still gives when it is asked to stop, if it does."""
    if act.name == "saves" and node.kind != "container":
        return _checked(node, output_of(node, act, inputs))
    return None


def _checked(node: Node, output: Any) -> Meaning:
    if node.schema and not (isinstance(output, dict) and type(output.get("n")) is int):
        return Broke("OutputInvalid")
    return Gave(output)


def outcome(node: Node, act: Act, pod: PodView) -> Outcome:
    """The act for the simulated kubelet."""
    made = _outcome(node, act, pod)
    return replace(made, seconds=act.seconds if ends_by_itself(act) else None)


def _outcome(node: Node, act: Act, pod: PodView) -> Outcome:
    if act.name in _FIXED:
        return _FIXED[act.name]
    match act.name:
        case "fails":
            failed = pod.fails()
            return replace(failed, exit_code=act.code) if node.kind == "container" else failed
        case "limited":
            return pod.fails("busy", reason="RateLimited")
        case "keyless":
            return pod.fails("no Secret", reason="KeyMissing")
        case "foreign":
            return Outcome(message=_record(pod, {"n": act.n}, attempt=pod.attempt + 1))
    made = _gives(node, act, pod)
    match act.name:
        case "repeats" | "vanishes":
            return _repeated(act, made)
        case "dies":
            return replace(made, exit_code=137)
        case "late":
            return replace(made, blocked="Unschedulable", blocked_text=_FULL, blocked_seconds=20.0)
        case "initpull":
            return replace(
                made, blocked="InitPull", blocked_text="no such tag", blocked_seconds=20.0
            )
        case "saves":
            return Outcome(stop_message="" if node.kind == "container" else made.message)
        case "hangs":
            obeys = node.kind == "container" and act.n % 2 == 0  # it exits with 0 on SIGTERM
            return Outcome(stop_code=0) if obeys else Outcome()
        case _:
            return made


def _repeated(act: Act, good: Outcome) -> Outcome:
    """A program whose first run fails, or whose container is gone; the second gives a result or
    never ends. Of every second one, the end of the first run is not known for long."""
    then = replace(good, seconds=1.0) if act.n % 4 < 2 else Outcome(seconds=None)
    how: Any = {"again": then, "forgets": act.n % 2 == 1}
    if act.name == "vanishes":
        return Outcome(gone_after=act.seconds, **how)
    return Outcome(exit_code=act.code, message="disk is gone", **how)


_FULL: Final = "0/2 nodes are available"
_FIXED: Final = {
    "oom": Outcome(exit_code=137, reason="OOMKilled"),
    "silent": Outcome(),
    "garbage": Outcome(message='{"n":'),
    "huge": Outcome(message="x" * 5000),
    "stuck": Outcome(blocked="Unschedulable", blocked_text=_FULL),
    "imageless": Outcome(blocked="ErrImagePull", blocked_text="not found"),
    "unstartable": Outcome(blocked="StartError", blocked_text="no such file"),
    "initless": Outcome(blocked="InitFails", blocked_text="no token"),
}


def _gives(node: Node, act: Act, pod: PodView) -> Outcome:
    output = output_of(node, act, pod.inputs)
    if node.kind == "container":
        return Outcome(message=json.dumps(output) if output is not None else "")
    if node.makes:
        made = content(pod.path, pod.attempt, taken_by(pod.request))
        return Outcome(message=_record(pod, output, artifacts={NAME: made}))
    return Outcome(message=_record(pod, output, tokens=spends(node, pod)))


def spends(node: Node, pod: PodView) -> int:
    """Tokens that an agent uses up: what it wants, and no more than it may."""
    if node.kind != "agent":
        return 0
    allowed = pod.request.get("agent", {}).get("allotment", {}).get("tokens")
    return TOKENS if allowed is None else min(TOKENS, int(allowed))


def _record(
    pod: PodView,
    output: Any,
    *,
    attempt: int | None = None,
    tokens: int = 0,
    artifacts: dict[str, Content] | None = None,
) -> str:
    ref = Attempt(pod.run_uid, pod.path, pod.round, attempt or pod.attempt, pod.uid)
    usage = Usage(model_calls=1, output_tokens=tokens) if tokens else None
    made = CommitRecord(ref, "Succeeded", output, usage=usage, artifacts=artifacts)
    return encode(made).decode()
