"""Attempts of an agent node with a journal, in this process."""

import time
from pathlib import Path
from typing import Any

import pytest
import waypost_agent
from waypost.protocol.artifacts.request import Artifacts
from waypost.protocol.request import Request
from waypost.protocol.work import WorkFailed, WorkResult

from tests.agent.deeds import LEDGER
from tests.agent.journaled import Site
from tests.agent.pods import KEY
from tests.runner.bench import request_of
from tests.runner.servers import Asked, Reply, serving

MODULE = "tests.agent.deeds"
TOOLS = [{"module": MODULE, "functions": ["look", "count", "fail", "send"]}]


class Node:
    """The attempts of an agent node, one after the other, in this process."""

    def __init__(self, site: Site, models: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.site = site
        self._models = models
        self._folder = folder
        self._patch = patch
        self._number = 2
        self.type = "OpenAI"
        self.asked: list[Asked] = []  # by the last play
        self.tools: list[Any] = TOOLS
        (folder / "key").write_text(KEY)
        patch.setenv(LEDGER, str(folder / "ledger"))

    def request(
        self,
        script: str,
        *,
        output_schema: Any = None,
        artifacts: Artifacts | None = None,
        **agent: Any,
    ) -> Request:
        """The request of the next attempt, which becomes the current one."""
        self._number += 1
        token = self._folder / f"token-{self._number}"
        token.write_text(self.site.attempt(self._number))
        self._patch.setenv("WAYPOST_TOKEN", str(token))
        model = {
            "type": self.type,
            "name": script,
            "baseUrl": f"{self._models}/v1" if self.type == "OpenAI" else self._models,
            "keyFile": str(self._folder / "key"),
        }
        document = {
            "model": model,
            "prompt": f"Go, {self._folder.name}.",
            "tools": self.tools,
            "limits": {"requests": 50},
            "reasks": 0,
            **agent,
        }
        document["model"] = {**model, **agent.get("model", {})}
        return request_of(
            kind="agent",
            agent=document,
            output_schema=output_schema,
            gateway=self.site.url,
            artifacts=artifacts,
        )

    def attempt(self, script: str, **more: Any) -> WorkResult | WorkFailed:
        """The outcome of the next attempt."""
        try:
            request = self.request(script, **more)
            return waypost_agent.perform(request, deadline=time.monotonic() + 30)
        except WorkFailed as failed:
            return failed

    def play(self, replies: list[Reply], **more: Any) -> WorkResult | WorkFailed:
        """The outcome of the next attempt, whose provider gives these replies."""
        with serving(*(replies or [Reply(status=500)])) as server:
            self._models, self.asked = server.url, server.asked
            return self.attempt("any", **more)

    @property
    def deeds(self) -> list[str]:
        ledger = self._folder / "ledger"
        return ledger.read_text().splitlines() if ledger.exists() else []

    def texts(self) -> list[str]:
        """The texts of the segments."""
        return [body["spec"]["data"]["text"] for body in self.site.segments()]
