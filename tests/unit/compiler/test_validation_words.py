"""What the models refuse is said in our words, wherever it is: a library's are for programmers."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError
from waypost.api.provider import ModelProviderSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.validation_errors import problems_of

from tests.support.builders import agent, container, gate, http, python, spec, wait

LIBRARY = re.compile(
    r"Input should|Field required|Extra inputs|String should|List should|valid (dict|int|str|list)"
    r"|validation|Value error|NoneType|\bNone\b|\bTrue\b|Decimal|dictionary",
)
RETRY = {"limit": 1, "backoff": {"initial": "1s"}, "reasons": ["NodeError"]}
EVERYTHING = spec(
    python("p", repeat={"until": "${true}", "max": 3}),
    container("c", env=[{"name": "A", "value": "b"}], resources={"limits": {"cpu": "1"}}),
    http("h", headers=[{"name": "A", "value": "b"}], query={"q": "1"}, successCodes=["200"]),
    wait("w"),
    gate("g"),
    agent("a", limits={"tokens": 5}),
    python("m", forEach={"items": "${[1]}", "maxParallel": 2}, retry=RETRY),
    {"name": "f", "first": {"of": ["p", "c"]}},
    {"name": "s", "workflow": {"templateRef": {"name": "t"}}},
    budget={"tokens": 5},
    defaults={"retry": {"limit": 1}, "resources": {"limits": {"cpu": "1"}}},
    rerun={"round": 2, "from": ["p"]},
    outputs={"o": "${1}"},
    schemas={"S": {"type": "string"}},
    **{"finally": [wait("z")]},
)
PROVIDER = {"type": "OpenAI", "baseURL": "http://m/v1", "apiKey": {"name": "a", "key": "b"}}
SERVER = {"http": {"url": "http://s/mcp", "headers": [{"name": "A", "value": "b"}]}}
WRONG: tuple[Any, ...] = (
    5,
    -1,
    1.5,
    True,
    "",
    "x" * 400,
    [],
    [1],
    {},
    {"x": 1},
    None,
    [None],
    10**30,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        entries = list(value.items())
    else:
        entries = list(enumerate(value)) if isinstance(value, list) else []
    for key, inner in entries:
        yield from places(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    made = inner = deepcopy(value)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return made


@pytest.mark.parametrize(
    ("model", "right"),
    [
        pytest.param(AgentWorkflowSpec, EVERYTHING, id="run"),
        pytest.param(ModelProviderSpec, PROVIDER, id="provider"),
        pytest.param(ToolServerSpec, SERVER, id="tool-server"),
    ],
)
def test_no_message_has_words_of_the_library(model: Any, right: Any) -> None:
    model.model_validate(right)
    messages = set()
    for path in places(right):
        for wrong in WRONG:
            try:
                model.model_validate(changed(right, path, wrong))
            except ValidationError as error:
                messages |= {problem.message for problem in problems_of(error, model)}
    assert len(messages) > 20
    assert sorted(text for text in messages if LIBRARY.search(text)) == []


@pytest.mark.parametrize(
    ("path", "wrong", "expected"),
    [
        pytest.param(("nodes",), 5, "nodes: expected a list, found 5", id="list"),
        pytest.param(("nodes", 0), 5, "nodes[0]: expected an object, found 5", id="object"),
        pytest.param(("nodes",), [], "nodes: expected at least 1 entries, found []", id="few"),
        pytest.param(("nodes", 0), {"x": 1}, "nodes[0].name: is missing", id="missing"),
        pytest.param(
            ("nodes", 0, "name"), None, "nodes[0].name: expected a string, found null", id="null"
        ),
        pytest.param(
            ("nodes", 6, "retry", "limit"),
            99,
            "nodes[6].retry.limit: expected at most 20, found 99",
            id="bound",
        ),
        pytest.param(
            ("nodes", 1, "container", "resources", "limits", "cpu"),
            1.5,
            "nodes[1].container.resources.limits.cpu: expected a whole number, found 1.5",
            id="alternative-of-a-union",
        ),
        pytest.param(
            ("rerun",),
            {"round": 2, "from": ["review/second"]},
            "rerun.from[0]: expected the name of a node, such as scan, or an item of a node with "
            "forEach, such as scan/3; items are counted from 0; to repeat a node of a child run, "
            "rerun that run, found 'review/second'",
            id="a-node-of-a-child-run",
        ),
    ],
)
def test_words(path: tuple[Any, ...], wrong: Any, expected: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AgentWorkflowSpec.model_validate(changed(EVERYTHING, path, wrong))
    assert expected in [str(one) for one in problems_of(refused.value, AgentWorkflowSpec)]
