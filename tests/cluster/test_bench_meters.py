"""The benchmark of throughput: what it reads from metrics, and the records that KWOK writes."""

import json
import re

import pytest
from waypost.api import meta
from waypost.protocol.record import Attempt, CommitRecord, encode

from e2e.bench.throughput import machines
from e2e.bench.throughput.meters import Reading, total

METRICS = """\
# HELP process_cpu_seconds_total CPU.
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
apiserver_request_total{code="201",resource="events",verb="POST"} 3
apiserver_request_total{code="409",resource="events",verb="POST"} 1
apiserver_request_total{code="201",resource="jobs",verb="POST"} 7
process_cpu_seconds_total_of_others 1
"""


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        pytest.param("process_cpu_seconds_total", (), 12.5, id="one-sample"),
        pytest.param("apiserver_request_total", ('resource="events"', 'verb="POST"'), 4, id="sum"),
        pytest.param("apiserver_request_total", ('resource="pods"',), 0, id="no-such-label"),
        pytest.param("nothing", (), 0, id="no-such-metric"),
    ],
)
def test_samples_of_a_metric_are_added(name: str, labels: tuple[str, ...], value: float) -> None:
    assert total(METRICS, name, *labels) == value


def test_what_loads_have_used_is_added_and_memory_is_the_highest() -> None:
    first, second = Reading(1, 2, 3, 4, 5, 6, 70, 8), Reading(1, 1, 1, 1, 1, 1, 60, 9)
    assert Reading.sum([first, second]) == Reading(2, 3, 4, 5, 6, 7, 70, 9)
    assert first.since(second) == Reading(0, 1, 2, 3, 4, 5, 70, 8)


def test_kwok_writes_the_record_of_each_attempt() -> None:
    """Its template, filled in as KWOK does, is what a runner would have written."""
    values = {
        f'(index .metadata.labels "{meta.LABEL_RUN}") | Quote': json.dumps("r"),
        f'(index .metadata.annotations "{meta.ANNOTATION_PATH}") | Quote': json.dumps("a/0"),
        ".metadata.uid | Quote": json.dumps("p"),
        f'(index .metadata.labels "{meta.LABEL_ATTEMPT}")': "3",
    }
    text = re.sub(r"\{\{ (.*?) \}\}", lambda found: values[found[1]], machines.record_template())
    attempt = Attempt("r", "a/0", 1, 3, "p")
    assert text.encode() == encode(CommitRecord(attempt, "Succeeded", machines.OUTPUT))
