"""Names and labels of MemoryEntries follow from what they are about and where they come from."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from waypost.api.crd.generate import manifest
from waypost.api.crd.resources import RESOURCES
from waypost.api.memory.model import EntryType
from waypost.kube.memory.names import entry_labels, entry_name, forgotten_name, memory_digest

FACT: dict[str, Any] = {
    "scope": "triage",
    "key": "customer-17",
    "type_": "Fact",
    "run_uid": "u-31",
    "path": "ask/3",
    "round_": 1,
    "ordinal": 0,
}


def test_s680_the_same_origin_has_the_same_name() -> None:
    assert entry_name(**FACT) == entry_name(**FACT)
    assert re.fullmatch(r"triage-[0-9a-f]{4}-f-[0-9a-f]{10}", entry_name(**FACT))


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("scope", "triage2"),
        ("key", "customer-18"),
        ("type_", "Episode"),
        ("run_uid", "u-32"),
        ("path", "ask/4"),
        ("round_", 2),
        ("ordinal", 1),
    ],
)
def test_each_part_of_the_origin_makes_another_name(field: str, other: Any) -> None:
    assert entry_name(**{**FACT, field: other}) != entry_name(**FACT)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a\0b", "c"), ("a", "b\0c")),
        (("a", 'b","c'), ("a", "b")),
        (("*", "k"), ("namespace", "k")),
    ],
)
def test_two_keys_never_share_a_label(one: tuple[str, str], two: tuple[str, str]) -> None:
    first, second = (memory_digest(scope=scope, key=key) for scope, key in (one, two))
    assert first != second


@pytest.mark.parametrize(
    "scope", ["*", "triage", "T_1.x", "a" * 253, "9", "a." * 100 + "a"], ids=lambda one: one[:8]
)
@pytest.mark.parametrize("type_", ["Episode", "Fact", "Forgotten"])
def test_names_and_labels_are_ones_that_the_api_server_takes(scope: str, type_: EntryType) -> None:
    name = entry_name(**{**FACT, "scope": scope, "type_": type_, "key": "Zoë & söhne\n" * 10})
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)
    labels = entry_labels(scope=scope, key="Zoë", type_=type_, run_uid="u-31")
    assert all(re.fullmatch(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,62}", value) for value in labels.values())


def test_an_entry_that_forgets_comes_from_no_run() -> None:
    at = datetime(2026, 11, 28, 9, 10, tzinfo=UTC)
    first = forgotten_name(scope="triage", key="k", at=at)
    assert first == forgotten_name(scope="triage", key="k", at=at)
    assert first != forgotten_name(scope="triage", key="k", at=at.replace(minute=11))
    labels = entry_labels(scope="triage", key="k", type_="Forgotten")
    assert labels == {
        "waypost.dev/memory": memory_digest(scope="triage", key="k"),
        "waypost.dev/memory-type": "Forgotten",
    }


def test_the_labels_are_those_of_the_contract() -> None:
    labels = entry_labels(scope="triage", key="k", type_="Fact", run_uid="u-31")
    assert re.fullmatch(r"[0-9a-f]{32}", labels["waypost.dev/memory"])
    assert labels["waypost.dev/memory-type"] == "Fact"
    assert labels["waypost.dev/source-run"] == "u-31"
    assert "waypost.dev/run" not in labels, "that label marks children of a run"


def test_lists_show_the_columns_of_the_contract() -> None:
    resource = next(one for one in RESOURCES if one.kind == "MemoryEntry")
    columns = manifest(resource)["spec"]["versions"][0]["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if not column.get("priority")]
    assert (resource.short, narrow) == (
        "me",
        ["KEY", "TYPE", "SUBJECT", "TEXT", "PHASE", "AGE"],
    )
