"""What the tests of the runner share: its two files, and what it left behind."""

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from waypost.protocol.record import Attempt, CommitRecord, decode
from waypost.protocol.request import PythonWork, Request

ENDS_WITHIN = 100.0  # seconds: no claim about speed, but when a test gives a process up
WHOSE = Attempt(run_uid="run-uid", path="draft", round=1, attempt=2, pod_uid="pod-uid")


def request_of(**fields: Any) -> Request:
    """A request of the attempt WHOSE."""
    bare = Request(
        run_name="run",
        namespace="default",
        run_uid=WHOSE.run_uid,
        path=WHOSE.path,
        kind="python",
        round=WHOSE.round,
        attempt=WHOSE.attempt,
        fingerprint="f",
        idempotency_key="key",
        timeout_seconds=None,
        traceparent=None,
        inputs={},
        input_schema=None,
        output_schema=None,
    )
    return bare._replace(**fields)


@dataclass(frozen=True)
class Ended:
    """What a runner left behind."""

    code: int
    message: str
    stdout: str
    stderr: str

    @property
    def record(self) -> CommitRecord:
        found = decode(self.message, expect=WHOSE)
        assert isinstance(found, CommitRecord), found
        return found


@dataclass(frozen=True)
class Bench:
    """A folder with the two files a pod has."""

    folder: Path

    def start(
        self,
        source: str | None = None,
        *,
        inputs: dict[str, Any] | None = None,
        output_schema: Any = None,
        timeout: float | None = None,
        file_limit: int | None = None,
        environment: dict[str, str] | None = None,
        program: str | None = None,
        **request: Any,
    ) -> "subprocess.Popen[str]":
        """Start the runner; `program`: source that starts it in another way."""
        asked = request_of(
            kind="python",
            python=None if source is None else PythonWork(source=dedent(source)),
            inputs=inputs or {},
            output_schema=output_schema,
            timeout_seconds=timeout,
        )._replace(**request)
        (self.folder / "request.json").write_text(json.dumps(asked.to_json()))
        (self.folder / "token").write_text("pod-token")
        variables = {
            **os.environ,
            "WAYPOST_REQUEST": str(self.folder / "request.json"),
            "WAYPOST_OUTPUT": str(self.folder / "termination-log"),
            "WAYPOST_TOKEN": str(self.folder / "token"),
            "WAYPOST_POD_UID": WHOSE.pod_uid,
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }

        def lower() -> None:
            if file_limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        return subprocess.Popen(
            [sys.executable, *(("-c", program) if program else ("-m", "waypost_node"))],
            preexec_fn=lower,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> Ended:
        stdout, stderr = process.communicate(timeout=ENDS_WITHIN)
        output = self.folder / "termination-log"
        message = output.read_text() if output.exists() else ""
        return Ended(process.returncode, message, stdout, stderr)

    def run(self, source: str | None = None, **request: Any) -> Ended:
        return self.finish(self.start(source, **request))
