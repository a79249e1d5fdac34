"""What is said of a provider or a server: condition Ready, and what was found beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import ValidationError

from waypost.api.meta import ConditionReason
from waypost.api.toolserver import Tool, ToolAnnotations
from waypost.kube.pods import PodFact, trouble_of
from waypost.kube.secret_files import explain, missing_key
from waypost.probes.job import access_of
from waypost.probes.subject import Subject
from waypost.protocol.probe import ProbeReason, Verdict, decode, tools_in

REASONS_OF_WAITING: Final = (
    ConditionReason.MISSING_SECRET,
    ConditionReason.MISSING_CONFIG_MAP,
)
_TEXT_LIMIT: Final = 1024
_DESCRIPTION_LIMIT: Final = 512


@dataclass(frozen=True)
class Finding:
    """One judgement. `verdict` is the probe's own, where it came to one."""

    ready: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    verdict: Verdict | None = None
    tools: tuple[Tool, ...] | None = None

    @classmethod
    def failed(cls, why: str) -> Self:
        """The probe itself came to nothing: that says nothing of what was to be probed."""
        text = f"{why[:_TEXT_LIMIT]}; the probe is repeated"
        return cls("Unknown", str(ProbeReason.PROBE_FAILED), text)


def wants_log(pod: PodFact) -> bool:
    """Whether the verdict of a pod points to lines of its log."""
    verdict = decode(pod.message) if pod.over else None
    return verdict is not None and verdict.lines > 0


def judge(subject: Subject, pod: PodFact, log: str | None) -> Finding:
    """What a probe whose pod is over has found."""
    verdict = decode(pod.message)
    if verdict is None:
        return Finding.failed(_end_of(pod))
    tools = _tools(log, verdict) if subject.kind == "ToolServer" and verdict.ok else None
    ready: Literal["True", "False"] = "True" if verdict.ok else "False"
    message = verdict.message
    if verdict.ok and subject.kind == "ToolServer":
        message = f"{message}{_about_tools(verdict, tools)}"
    return Finding(ready, str(verdict.reason), message, verdict, tools)


def waiting(subject: Subject, pods: Sequence[PodFact], trouble: str) -> Finding | None:
    """What keeps a probe from starting, if anything does that will not pass by itself."""
    text = next((text for pod in pods if (text := trouble_of(pod))), "") or trouble
    started = any(pod.started_at is not None for pod in pods)
    if started or not text:
        return None
    if missing_key(text):
        # Certain, and what a node would meet: so no Unknown.
        message = explain(text, access_of(subject).files)
        is_secret = message.startswith("Secret")
        reason = ConditionReason.MISSING_SECRET if is_secret else ConditionReason.MISSING_CONFIG_MAP
        return Finding("False", reason, message[:_TEXT_LIMIT])
    return Finding("Unknown", str(ProbeReason.PROBE_FAILED), text[:_TEXT_LIMIT])


def findings(subject: Subject, finding: Finding) -> dict[str, Any]:
    """The fields of the status beside the condition. A probe that failed leaves the tools that
    were known: nodes are still written against them."""
    verdict = finding.verdict
    if verdict is None or not verdict.ok:
        return {}
    if subject.kind == "ModelProvider":
        unknown = list(verdict.unknown) or None
        return {"models_found": verdict.found, "unknown_models": unknown}
    if finding.tools is None:
        return {"tools_found": verdict.found}
    return {"tools_found": verdict.found, "tools": list(finding.tools)}


def _end_of(pod: PodFact) -> str:
    if pod.pod_reason == "DeadlineExceeded" or not pod.terminated:
        return trouble_of(pod) or pod.pod_message or "its pod ended before it had started"
    said = f": {pod.message.strip()[:300]}" if pod.message.strip() else ""
    reason = f" ({pod.terminated_reason})" if pod.terminated_reason not in ("", "Error") else ""
    return f"its program ended with exit code {pod.exit_code}{reason}{said}; see its log"


def _tools(log: str | None, verdict: Verdict) -> tuple[Tool, ...] | None:
    """The tools in the log; None when it does not hold (all of) them."""
    if not verdict.lines:
        return ()
    told = tools_in(log, verdict) if log is not None else None
    if told is None:
        return None
    try:
        return tuple(_tool(tool) for tool in told)
    except ValidationError:
        return None


def _tool(told: dict[str, Any]) -> Tool:
    description = told.get("description")
    return Tool(
        name=told.get("name", ""),
        description=description[:_DESCRIPTION_LIMIT] if description else None,
        input_schema=told.get("inputSchema"),
        annotations=ToolAnnotations.model_validate(told["annotations"])
        if told.get("annotations")
        else None,
    )


def _about_tools(verdict: Verdict, tools: tuple[Tool, ...] | None) -> str:
    if tools is None:
        return "; the list could not be read, see the log of the probe's pod"
    if verdict.found is not None and verdict.found > len(tools):
        return f"; the first {len(tools)} are listed in status.tools"
    without = sum(tool.input_schema is None for tool in tools)
    return f"; {without} of them have a schema that is too big to be listed" if without else ""
