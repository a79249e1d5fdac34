"""Every moment of the recorded runs of each release can be shown, in every document."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from waypost.compiler.definition import define
from waypost.engine.rounds.begin import begin_round
from waypost.kube.timestamps import parse_timestamp
from waypost.protocol import schema
from waypost.views.cost import run_cost
from waypost.views.difference import difference
from waypost.views.graph import run_graph
from waypost.views.io import node_io
from waypost.views.models import View
from waypost.views.observed import observed_run
from waypost.views.related import Related
from waypost.views.rerun import rerun_preview
from waypost.views.row import row
from waypost.views.run.describe import run_view
from waypost.views.schema import json_schema

SETS: Final = sorted((Path(__file__).parents[2] / "golden").glob("*/*.json"))
SCHEMA: Final = json_schema()


def moments() -> list[Any]:
    found = []
    for path in SETS:
        document = json.loads(path.read_text())
        for number, moment in enumerate(document["moments"]):
            run = {**moment["run"], "spec": document["spec"]}
            name = f"{path.parent.name}-{number}"
            found.append(pytest.param({**moment, "run": run}, id=name))
    return found


def is_valid(document: View) -> bool:
    given = {"$ref": f"#/$defs/{type(document).__name__}", "$defs": SCHEMA["$defs"]}
    return not schema.validate(given, document.to_json())


@pytest.mark.parametrize("moment", moments())
def test_every_document(moment: Any) -> None:
    run, now = moment["run"], parse_timestamp(moment["now"])
    assert now is not None
    definition = define(run["spec"])
    approvals = {one["metadata"]["name"]: one for one in moment["approvals"]}
    related = Related(approvals=approvals, pods=tuple(moment["pods"]))
    shown = run_view(run, now=now, related=related)
    documents: list[View] = [
        row(run),
        shown,
        run_graph(shown, definition),
        run_cost(shown),
        difference((run, run), (shown, shown)),
    ]
    documents += [
        node_io(run, definition, path, records={}, now=now) for path in definition.graph.order
    ]
    assert all(is_valid(document) for document in documents)
    assert not any(pair.differs for pair in documents[4].nodes)  # type: ignore[attr-defined]


@pytest.mark.parametrize("moment", moments())
def test_s390_the_preview_of_each_moment(moment: Any) -> None:
    """It has the decision of the operator, or says why there is none."""
    run, now = moment["run"], parse_timestamp(moment["now"])
    assert now is not None
    run["spec"]["rerun"] = {"round": run.get("status", {}).get("round", 1) + 1}
    definition = define(run["spec"])
    shown = rerun_preview(run, definition, now=now)
    assert is_valid(shown)
    assert bool(shown.problems) != bool(shown.nodes)
    if shown.nodes:
        begun = begin_round(observed_run(run, definition, now=now), now)
        wanted = [(one.path, one.disposition) for one in begun.status.nodes]
        assert [(one.path, one.disposition) for one in shown.nodes] == wanted
