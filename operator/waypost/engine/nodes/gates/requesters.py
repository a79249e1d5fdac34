"""The people who asked for what a gate approves. None of them can answer (S361)."""

from waypost.api.approval import ApprovalSpec
from waypost.engine.state.observed import Observed


def requesters(observed: Observed) -> list[str]:
    """User names of those who started the run, the runs above it, and their present rounds.

    A run without `requestedBy` has none: the API server does not record who created it.
    """
    spec, above = observed.spec, observed.lineage
    assert spec is not None, "only runs with a spec ask questions"
    names = list((above.requesters or ()) if above is not None else ())
    names.append(spec.requested_by or "")
    names.append((spec.rerun.requested_by if spec.rerun is not None else None) or "")
    return list(dict.fromkeys(name for name in names if name))


def names_the_starter(observed: Observed, question: ApprovalSpec) -> bool:
    """Whether a question names the person who started the run, if that is known.

    The others may differ: a round that began while the gate was open keeps its question.
    """
    starter = observed.spec.requested_by if observed.spec is not None else None
    return starter is None or starter in (question.requesters or ())
