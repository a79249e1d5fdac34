"""A client of a cluster whose API server is killed now and then."""

import http.client
import time
from dataclasses import dataclass
from typing import Any, Final

from e2e.suite.kube import ApiError, Kube

PATIENCE: Final = 90.0
PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class PatientKube(Kube):
    """Asks again while nobody answers, as people and programs do; what it created before the
    answer was lost counts as created."""

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        by: str | None = None,
        **query: str,
    ) -> Any:
        """As that of Kube, up to PATIENCE seconds late. Raises ApiError."""
        deadline = time.monotonic() + PATIENCE
        repeated = False
        while True:
            try:
                return Kube.request(
                    self, method, path, body, content_type=content_type, by=by, **query
                )
            except (ApiError, OSError, http.client.HTTPException) as error:
                code = error.code if isinstance(error, ApiError) else 0
                if code == http.HTTPStatus.CONFLICT and repeated and method == "POST":
                    assert isinstance(body, dict)
                    return Kube.request(self, "GET", f"{path}/{body['metadata']['name']}")
                if not _may_pass(code) or time.monotonic() > deadline:
                    raise
                repeated = True
                time.sleep(PAUSE)


def _may_pass(code: int) -> bool:
    """Whether another try may succeed: no answer, an error of the server, or 429, with which an API
    server answers while its storage is not ready."""
    statuses = http.HTTPStatus
    return code in (0, statuses.TOO_MANY_REQUESTS) or code >= statuses.INTERNAL_SERVER_ERROR


def patient(kube: Kube) -> PatientKube:
    """The same connection, patient."""
    return PatientKube(kube.kubeconfig, kube.tools, kube.port)
