"""Dropped fields are compared once for each spec, and again when it or what was applied changes."""

import json

import pytest
from waypost.kube.facts.runs import pruned_of
from waypost.ports.cluster import Obj
from waypost.runtime.cache import pruned
from waypost.runtime.cache.pruned import PrunedFields


def body(generation: int, applied: Obj | None, **spec: object) -> Obj:
    annotations = {}
    if applied is not None:
        name = "kubectl.kubernetes.io/last-applied-configuration"
        annotations = {name: json.dumps({"spec": applied})}
    return {"metadata": {"generation": generation, "annotations": annotations}, "spec": spec}


def test_s28_they_are_compared_once_for_each_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Obj] = []

    def comparing(one: Obj) -> tuple[str, ...]:
        compared.append(one)
        return pruned_of(one)

    monkeypatch.setattr(pruned, "pruned_of", comparing)
    fields = PrunedFields()
    first = body(1, {"a": 1, "b": 2}, a=1)
    assert [fields.of("uid", first), fields.of("uid", first)] == [("b",)] * 2
    assert len(compared) == 1
    assert fields.of("uid", body(2, {"a": 1, "b": 2}, a=1, b=2)) == ()
    assert fields.of("uid", body(2, {"a": 1, "c": 2}, a=1, b=2)) == ("c",)
    assert fields.of("uid", body(2, None)) == ()
    assert fields.of("other", first) == ("b",)
    fields.forget("other")
    assert fields.of("other", first) == ("b",)
    assert len(compared) == 5


def test_few_are_kept() -> None:
    fields = PrunedFields()
    for at in range(600):
        fields.of(f"uid-{at}", body(1, {"a": 1}))
    assert len(fields._known) == 500
