"""The probe of a pod's isolation: an init container that ends once the network policy holds."""

import json
from dataclasses import dataclass
from typing import Any, Final

PROBE: Final = "isolation-probe"  # name of the init container
PROBE_COMMAND: Final = ("python3", "-m", "waypost_node.isolation_probe")
# Targets as host:port, separated by commas: connections that must fail, and that must succeed.
MUST_FAIL: Final = "WAYPOST_MUST_FAIL"
MUST_REACH: Final = "WAYPOST_MUST_REACH"
NO_DNS: Final = "WAYPOST_NO_DNS"  # set: the name servers of the pod must not answer either
REPORT: Final = "WAYPOST_REPORT"  # set: the probe reports what it finds, and lets the program start
PATIENCE: Final = 30.0  # seconds until the probe gives up
REPORT_PATIENCE: Final = 10.0  # the same of a probe that only reports
_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class Measured:
    """What a probe has measured in its pod; what it cannot measure is in neither tuple."""

    held: tuple[str, ...] = ()  # controls that hold
    missing: tuple[str, ...] = ()  # controls that do not
    problem: str = ""  # what was reached that must not be, or the reverse

    def to_text(self) -> str:
        """The termination message of the probe."""
        found = {"held": self.held, "missing": self.missing, "problem": self.problem[:_MESSAGE]}
        return json.dumps(found)


NOTHING: Final = Measured()


def parse_measured(message: str) -> Measured:
    """What a termination message says; nothing if it is not one of a probe."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return NOTHING
    if not isinstance(found, dict):
        return NOTHING
    problem = found.get("problem")
    return Measured(
        held=_texts(found.get("held")),
        missing=_texts(found.get("missing")),
        problem=problem[:_MESSAGE] if isinstance(problem, str) else "",
    )


def _texts(value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else ()
    return tuple(one for one in listed[:8] if isinstance(one, str))
