"""An estimate against what comes out: never below it, whatever the expression and the data."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from waypost.expressions.estimates.cost import MAX_BUILT, costs, needs_estimate
from waypost.expressions.expression import Compiled, EvaluationError, compile_expression, evaluate

ROUNDS = 15


class Making:
    """Random expressions, of which each kind is made of smaller ones."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._texts = ["inputs.s", "inputs.t", "'x'", "','", "'ab\"'"]
        self._loops = 0

    def text(self, depth: int) -> str:
        if depth <= 0:
            return self._random.choice(self._texts)
        text, texts = self.text, self.texts
        return self._one_of(
            lambda: f"({text(depth - 1)} + {text(depth - 1)})",
            lambda: f"{text(depth - 1)}.replace(',', {text(depth - 1)})",
            lambda: f"{text(depth - 1)}.replace({text(depth - 2)}, {text(depth - 1)})",
            lambda: f"{texts(depth - 1)}.join({text(depth - 1)})",
            lambda: f"json({texts(depth - 1)})",
            lambda: f"json(json({text(depth - 1)}))",
            lambda: f"strings.quote({text(depth - 1)})",
            lambda: f"{text(depth - 1)}.trim().upperAscii()",
            lambda: f"(size({text(depth - 1)}) > 3 ? {text(depth - 1)} : {text(depth - 1)})",
            lambda: f"'%s-%s'.format([{text(depth - 1)}, {texts(depth - 1)}])",
            lambda: f"{texts(depth - 1)}[?0].orValue({text(depth - 1)})",
        )

    def texts(self, depth: int) -> str:
        if depth <= 0:
            return "inputs.l"
        text, texts = self.text, self.texts
        return self._one_of(
            lambda: f"{text(depth - 1)}.split(',')",
            lambda: f"{text(depth - 1)}.split({text(depth - 2)})",
            lambda: self._loop("map", texts(depth - 1), "", text, depth),
            lambda: self._loop("filter", texts(depth - 1), "", text, depth, "size({}) > 3"),
            lambda: self._loop("map", "inputs.r", ".a", text, depth),
            lambda: self._loop("map", "inputs.r", ".c.d", text, depth),
            lambda: f"({texts(depth - 1)} + {texts(depth - 1)})",
            lambda: f"[{text(depth - 1)}, {text(depth - 1)}]",
            lambda: "keys(inputs.m)",
            lambda: f"flatten(chunk({texts(depth - 1)}, 2))",
            lambda: f"flatten([{texts(depth - 1)}, {texts(depth - 1)}])",
            lambda: self._loop("map", f"chunk({texts(depth - 1)}, 2)", ".join(',')", text, depth),
            lambda: self._loop("map", f"zip({texts(0)}, {texts(0)})", "[1]", text, depth),
            lambda: f"range(size({texts(depth - 1)})).map(i{depth}, {text(depth - 1)})",
        )

    def _one_of(self, *makers: Callable[[], str]) -> str:
        return self._random.choice(makers)()

    def _loop(
        self,
        macro: str,
        over: str,
        field: str,
        body: Callable[[int], str],
        depth: int,
        around: str = "{}",
    ) -> str:
        self._loops += 1
        name = f"v{self._loops}"
        before = self._texts
        self._texts = [*before, *[name + field] * 4]
        made = f"{over}.{macro}({name}, {around.format(body(depth - 1))})"
        self._texts = before
        return made


def some_data(random: Random) -> Any:
    def text() -> str:
        return "".join(
            random.choice('ab,\n"\\ =é\x01') for _ in range(random.choice([0, 1, 5, 60, 300]))
        )

    row: Callable[[], Any] = lambda: {"a": text(), "c": {"d": text()}}  # noqa: E731
    inputs = {
        "s": text(),
        "t": text(),
        "l": [text() for _ in range(random.randint(0, 8))],
        "r": [row() for _ in range(random.randint(0, 6))],
        "m": {f"{at}{text()[:4]}": at for at in range(random.randint(0, 5))},
    }
    return {"inputs": inputs}


@pytest.mark.parametrize("seed", range(40))
def test_no_result_is_larger_than_its_estimate(seed: int) -> None:
    random = Random(seed)
    for _ in range(ROUNDS):
        making = Making(random)
        source = making.text(random.randint(1, 5)) if random.random() < 0.5 else making.texts(4)
        compiled = compile_expression(source)
        data = some_data(random)
        if not isinstance(compiled, Compiled) or not needs_estimate(compiled.tree.expr):
            continue
        built, _ = costs(compiled.tree.expr, data)
        value = evaluate(compiled, data) if built <= MAX_BUILT / 8 else None
        if not isinstance(value, EvaluationError | None):
            assert built >= bytes_of(value), source


def bytes_of(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    return sum(map(bytes_of, value)) if isinstance(value, list) else 8
