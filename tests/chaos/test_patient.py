"""The client of the chaos tests asks again while the API server cannot answer."""

from pathlib import Path
from typing import Any

import pytest

from e2e.chaos import patient
from e2e.suite.kube import ApiError, Kube

FOUND: Any = {"metadata": {"name": "a"}}


class Clock:
    """Time that passes in pauses alone."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the API server answers next."""
    given: list[Any] = []

    def request(*_: object, **__: object) -> Any:
        answer = given.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(patient, "time", Clock())
    monkeypatch.setattr(Kube, "request", request)
    return given


def client() -> patient.PatientKube:
    return patient.PatientKube(Path("kubeconfig"), Path("tools"), 0)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ApiError(429, "storage is (re)initializing"), id="storage-not-ready"),
        pytest.param(ApiError(503, "shutting down"), id="server-stops"),
        pytest.param(ConnectionRefusedError(), id="no-server"),
    ],
)
def test_what_passes_is_tried_again(error: Exception, answers: list[Any]) -> None:
    answers += [error, error, FOUND]
    assert client().request("GET", "/api") == FOUND


@pytest.mark.parametrize("code", [403, 404, 409, 422])
def test_an_answer_that_stays_is_raised(code: int, answers: list[Any]) -> None:
    answers += [ApiError(code, "no"), FOUND]
    with pytest.raises(ApiError):
        client().request("GET", "/api")


def test_an_object_that_was_created_before_the_answer_was_lost_counts(answers: list[Any]) -> None:
    answers += [ConnectionResetError(), ApiError(409, "exists"), FOUND]
    assert client().request("POST", "/api", FOUND) == FOUND
