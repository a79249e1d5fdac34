"""One pass of the engine over observed facts, as the controller makes it."""

from datetime import datetime

from waypost.engine import decide as engine
from waypost.engine import reads
from waypost.engine.run.entry import enter
from waypost.engine.state.decision import Decision
from waypost.engine.state.observed import Observed, Reads
from waypost.kube.manifests.pod import PodSettings


def decide(observed: Observed, now: datetime, settings: PodSettings) -> Decision:
    """Enter the run and decide."""
    return engine.decide(enter(observed, now), now, settings)


def required_reads(observed: Observed, now: datetime) -> Reads:
    """Enter the run and ask what must be read."""
    return reads.required_reads(enter(observed, now), now)
