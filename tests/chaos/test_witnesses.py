"""The watch misses nothing while its server comes and goes; the client gets its answer; what is
measured of a kill is the time to the next write."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from e2e.bench.audit import OPERATOR, Request
from e2e.chaos import history, patient
from e2e.chaos.faults import Kill
from e2e.chaos.history import watched
from e2e.chaos.patient import PatientKube
from e2e.chaos.soak import recoveries
from e2e.suite.kube import ApiError, Kube

Answer = tuple[int, list[dict[str, Any]]]  # status; documents, one a line


@contextmanager
def serving(answer: Callable[[str, str, dict[str, str]], Answer]) -> Iterator[int]:
    """A server that answers by method, path and query; a connection ends with its answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            status, documents = answer(self.command, parts.path, query)
            # At the end of a test, watches close their connections without waiting for an answer.
            with suppress(ConnectionError):
                self.send_response(status)
                self.end_headers()
                self.wfile.write("\n".join(map(json.dumps, documents)).encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(patient, "PAUSE", 0.01)


def pod(uid: str, version: int) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid, "resourceVersion": str(version)}}


def listing(version: int, *items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "metadata": {"resourceVersion": str(version)}}


def test_watch_goes_on_from_where_it_broke_off_and_lists_anew_when_that_is_forgotten() -> None:
    watches: dict[str, list[Answer]] = {
        # cut off after one event; nobody answers; then the rest
        "1": [(200, [{"type": "MODIFIED", "object": pod("a", 2)}])],
        "2": [(503, []), (200, [{"type": "ADDED", "object": pod("b", 3)}]), (503, [])],
        "3": [(410, [])],
    }
    lists = [listing(1, pod("a", 1)), listing(9, pod("b", 3), pod("c", 8))]
    done = threading.Event()

    def answer(method: str, path: str, query: dict[str, str]) -> Answer:
        if not path.endswith("/pods"):
            return 200, [listing(1)] if "watch" not in query else []
        if "watch" not in query:
            return 200, [lists.pop(0)]
        planned = watches.get(query["resourceVersion"])
        if planned:
            return planned.pop(0)
        done.set()
        return 503, []

    with serving(answer) as port, watched(Kube(Path("k"), Path("t"), port), "ns") as found:
        assert done.wait(100)
    reported = [
        (s.type, s.body["metadata"]["uid"], s.version) for s in found.seen if s.kind == "pods"
    ]
    assert reported == [
        ("ADDED", "a", 1),
        ("MODIFIED", "a", 2),
        ("ADDED", "b", 3),
        ("DELETED", "a", 2),
        ("ADDED", "c", 8),
    ]
    assert found.gaps == 1


@pytest.mark.parametrize(
    ("method", "answers", "expected"),
    [
        pytest.param("GET", [503, 502, 200], "found", id="asks-again"),
        pytest.param("GET", [404], 404, id="no-is-no"),
        pytest.param("POST", [409], 409, id="somebody-else-made-it"),
        pytest.param("POST", [503, 409, 200], "found", id="it-was-made-before-the-answer-was-lost"),
    ],
)
def test_patient_client(method: str, answers: list[int], expected: object) -> None:
    def answer(*_: object) -> Answer:
        status = answers.pop(0)
        return status, [{"is": "found"} if status == 200 else {"message": "no"}]

    with serving(answer) as port:
        kube = PatientKube(Path("k"), Path("t"), port)
        body = {"metadata": {"name": "it"}}
        if isinstance(expected, int):
            with pytest.raises(ApiError) as caught:
                kube.request(method, "/path", body)
            assert caught.value.code == expected
        else:
            assert kube.request(method, "/path", body) == {"is": expected}
    assert answers == []


def write(at: float, *, user: str = OPERATOR, resource: str = "jobs", code: int = 201) -> Request:
    verb = "create" if resource == "jobs" else "patch"
    return Request(user, verb, resource, "ns", "n", code, at, at)


def test_recovery_is_from_a_kill_to_the_next_write_of_an_operator() -> None:
    kills = [Kill(10, warm=True), Kill(20, warm=False), Kill(30, warm=True), Kill(31, warm=True)]
    requests = [
        write(9.0),
        write(11.0, user="system:kube-controller-manager"),
        write(11.5, code=409),
        write(12.0, resource="agentworkflows/status", code=200),
        write(12.5),
        write(27.0),
        write(33.0),
    ]
    figures = {figure.name: figure.value for figure in recoveries(kills, requests)}
    assert figures["operators_killed"] == 4
    assert figures["operators_killed_with_standby"] == 2, "killed again first: says nothing"
    assert figures["operator_kill_to_write_p99"] == 2.0
    assert figures["operator_kill_to_write_no_standby_p50"] == 7.0
