"""Names of children: short enough, valid, and never the same for two things."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waypost.api.base import NODE_NAME_PATTERN
from waypost.kube.names import (
    approval_name,
    child_name,
    definition_name,
    idempotency_key,
    items_name,
    job_name,
    record_name,
    segment_name,
)
from waypost.kube.timestamps import parse_timestamp, timestamp

RUN_NAMES = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?(\.[a-z0-9]{1,20}){0,3}\Z")
PATHS = st.from_regex(rf"\A{NODE_NAME_PATTERN[1:-1]}\Z")
UIDS = st.uuids().map(str)
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
STEADY = settings(derandomize=True, database=None, max_examples=150, deadline=None)


@STEADY
@given(RUN_NAMES, UIDS, PATHS, st.integers(1, 99_999))
def test_names_are_labels_of_63_characters(run: str, uid: str, path: str, number: int) -> None:
    for name in (
        job_name(run=run, run_uid=uid, path=path, attempt=number),
        approval_name(run=run, run_uid=uid, path=path, round_=number),
    ):
        assert len(name) <= 63
        assert LABEL.fullmatch(name), name


@STEADY
@given(st.lists(st.tuples(RUN_NAMES, UIDS, PATHS, st.integers(1, 200)), unique=True, max_size=8))
def test_job_names_are_injective(children: list[tuple[str, str, str, int]]) -> None:
    made = {(u, p, n): job_name(run=r, run_uid=u, path=p, attempt=n) for r, u, p, n in children}
    assert len(set(made.values())) == len(made)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a-b", "u", "c", 1), ("a", "u", "b_c", 1), id="B5-run-and-path"),
        pytest.param(("r", "u1", "a", 1), ("r", "u2", "a", 1), id="a-run-of-the-same-name"),
        pytest.param(("r", "u", "a", 1), ("r", "u", "a", 2), id="attempts"),
        pytest.param(("r", "u", "a", 11), ("r", "u", "a1", 1), id="digits"),
    ],
)
def test_names_differ(one: tuple[str, str, str, int], other: tuple[str, str, str, int]) -> None:
    names = {job_name(run=r, run_uid=u, path=p, attempt=n) for r, u, p, n in (one, other)}
    assert len(names) == 2
    names = {approval_name(run=r, run_uid=u, path=p, round_=n) for r, u, p, n in (one, other)}
    assert len(names) == 2


CUT = "supplier-onboarding-of-a-very-large-company-in-europe-2026"


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(partial(job_name, path="check", attempt=1), id="job"),
        pytest.param(partial(approval_name, path="check", round_=1), id="approval"),
        pytest.param(partial(child_name, path="check", generation=0), id="child-run"),
        pytest.param(
            partial(record_name, "Result", path="check", round_=1, attempt=1), id="result"
        ),
        pytest.param(
            partial(segment_name, path="check", fingerprint="f", generation=1, number=1),
            id="journal",
        ),
        pytest.param(partial(definition_name, digest="sha256:0"), id="definition"),
        pytest.param(partial(items_name, path="check", digest="sha256:0"), id="items"),
    ],
)
def test_a_name_that_is_cut_is_distinguished_by_ten_digits(made: Callable[..., str]) -> None:
    """With 8 of them, 10,000 runs whose names begin alike share one in a hundred times."""
    names = [made(run=f"{CUT}{at}", run_uid=f"uid-{at}") for at in range(3)]
    assert len({name[:-10] for name in names}) == 1, "the names of the runs are cut"
    assert all(re.fullmatch(r"[0-9a-f]{10}", name[-10:]) for name in names)
    assert all(len(name) <= 63 for name in names)


def test_names_stay_as_they_are() -> None:
    uid = "11111111-2222-3333-4444-555555555555"
    assert job_name(run="brief", run_uid=uid, path="get_it", attempt=2) == "brief-get-it-2-b6127479"
    assert approval_name(run="brief", run_uid=uid, path="ok", round_=1) == "brief-ok-1-8047"
    assert idempotency_key(run_uid=uid, path="a", input_digest="sha256:0", repeats=0) == (
        "6b5e6bc79cd3757b9aadfe20c86d7dd44a25d057"
    ), "a new operator must find what an old one made"


@STEADY
@given(st.datetimes(datetime(1900, 1, 2), datetime(9000, 1, 1)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_times_survive(moment: datetime, offset: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=offset)))
    text = timestamp(aware)
    assert text.endswith("Z")
    back = parse_timestamp(text)
    assert back is not None
    assert abs(back - aware) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "soon",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "9" * 400,
        "2026-01-01T00:00:00+99:99",
        "2026-02-30T10:00:00Z",
        "2026-12-31T24:00:00Z",
        "2026-12-31T23:58:60Z",
        "9999-12-31T23:59:60Z",
        "1796083200",
        "\uff12026-12-01T10:00:00Z",
    ],
)
def test_no_times(text: str | None) -> None:
    assert parse_timestamp(text) is None, "never an exception, never a time without a zone"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        pytest.param("2026-12-31T23:59:60Z", "2027-01-01T00:00:00Z", id="leap-second"),
        pytest.param("2026-06-30t23:59:60.5z", "2026-07-01T00:00:00.500Z", id="with-a-fraction"),
        pytest.param("2026-12-01t10:00:00z", "2026-12-01T10:00:00Z", id="small-letters"),
        pytest.param("2026-12-01 10:00:00Z", "2026-12-01T10:00:00Z", id="space"),
        pytest.param("2026-12-01T10:00:00.123456789Z", "2026-12-01T10:00:00.123456Z", id="nanos"),
    ],
)
def test_all_forms_of_rfc_3339_are_times(text: str, same: str) -> None:
    assert parse_timestamp(text) == parse_timestamp(same) is not None


def test_zones_are_understood() -> None:
    assert parse_timestamp("2026-01-01T02:00:00+02:00") == datetime(2026, 1, 1, tzinfo=UTC)


LONG = "supplier-invoice-intake-eu-central-1-production-weekly-"


def test_gates_of_runs_with_long_names_do_not_meet() -> None:
    """Twenty thousand runs that only differ where their name is cut off."""
    made = {
        approval_name(
            run=f"{LONG}{number:05d}", run_uid=str(UUID(int=number)), path="sign_off", round_=1
        )
        for number in range(20_000)
    }
    assert len(made) == 20_000
    assert all(LABEL.fullmatch(name) and len(name) <= 63 for name in made)


@pytest.mark.parametrize(
    ("length", "digits"), [(47, 4), (48, 10)], ids=["whole-name", "name-that-is-cut"]
)
def test_digits_of_a_gate(length: int, digits: int) -> None:
    name = approval_name(run="r" * length, run_uid="u", path="sign_off", round_=1)
    assert len(name.rpartition("-")[2]) == digits
