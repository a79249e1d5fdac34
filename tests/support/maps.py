"""Maps in a `Play`: a node `scan` whose items are those of inputs.list."""

import json
from collections.abc import Mapping
from datetime import timedelta

from waypost.api.base import JsonObject, JsonValue
from waypost.api.items.status import ItemsStatus
from waypost.api.meta import ANNOTATION_REQUEST
from waypost.kube.facts.read_problems import ReadProblem, of_record

from tests.support.builders import NOW, python, spec
from tests.support.play import Ending, Play


def mapped(name: str = "scan", **fields: JsonValue) -> JsonObject:
    """A map over inputs.list, whose items get their value as input v."""
    for_each = {"items": "${inputs.list}", **fields.pop("forEach", {})}
    return python(name, forEach=for_each, **{"inputs": {"v": "${item}"}, **fields})


def run_of(values: JsonValue, *nodes: JsonObject, **fields: JsonValue) -> JsonObject:
    """A spec whose inputs.list has these values."""
    return spec(*nodes, inputs={"list": values}, **fields)


def programs(**endings: list[Ending]) -> Mapping[str, list[Ending]]:
    """Endings by item: `i1` is that of scan/1."""
    return {f"scan/{name.removeprefix('i')}": list(ends) for name, ends in endings.items()}


def steps(play: Play, count: int) -> Play:
    """Passes with a short while after each."""
    for _ in range(count):
        play.step()
        play.advance(0.2)
    return play


def items_of(play: Play, path: str = "scan") -> ItemsStatus:
    """What status says of the items of a map."""
    items = play.node(path).items
    assert items is not None
    return items


def output(play: Play, path: str = "scan") -> JsonValue:
    """The output of a node, wherever it is stored."""
    node = play.node(path)
    return play.records[node.output_record] if node.output_record else node.output


def requests(play: Play) -> dict[tuple[str, int], JsonObject]:
    """The request documents of all attempts."""
    return {
        key: json.loads(job["spec"]["template"]["metadata"]["annotations"][ANNOTATION_REQUEST])
        for key, job in play.manifests.items()
    }


def refuse_records(play: Play, *names: str) -> None:
    """The API server refuses to read these NodeRecords."""
    play.overrides = {
        "unread": {
            of_record(name): ReadProblem(
                of_record(name), "forbidden", True, NOW, play.now + timedelta(seconds=5)
            )
            for name in names
        }
    }
