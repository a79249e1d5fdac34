"""The people who asked for what a gate approves. None of them can answer (S361)."""

from waypost.api.approval import ApprovalSpec
from waypost.engine.state.observed import Observed


def requesters(observed: Observed) -> list[str]:
    """User names of those who started the run, the runs above it, and their present rounds, and of
    who wrote its schedule.

    A run without `requestedBy` has none: the API server does not record who created it.
    """
    spec, above = observed.spec, observed.lineage
    assert spec is not None, "only runs with a spec ask questions"
    names = list((above.requesters or ()) if above is not None else ())
    names.append(spec.requested_by or "")
    names.append((spec.origin.requested_by if spec.origin is not None else None) or "")
    names.append((spec.rerun.requested_by if spec.rerun is not None else None) or "")
    return list(dict.fromkeys(name for name in names if name))


def names_the_starter(observed: Observed, question: ApprovalSpec) -> bool:
    """Whether a question names the person who started the run or wrote its schedule, if known.

    The others may differ: a round that began while the gate was open keeps its question.
    """
    spec = observed.spec
    written = spec.origin.requested_by if spec is not None and spec.origin is not None else None
    known = {name for name in (spec and spec.requested_by, written) if name}
    return known <= set(question.requesters or ())
