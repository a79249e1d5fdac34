"""A real Prometheus as a process of this machine: what it scrapes, and what it answers."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.cluster import golang, serving
from e2e.cluster.settings import Settings
from e2e.cluster.shell import Progress

_CONFIG = """\
global: {scrape_interval: %s, scrape_timeout: %s, evaluation_interval: 500ms}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: waypost
    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]
"""
_FEATURES = "exemplar-storage"


class QueryError(Exception):
    """Prometheus refused a query; the text is its own."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs. `folder` has its configuration."""

    url: str
    folder: Path

    def scrape(self, targets: Mapping[str, Mapping[str, str]]) -> None:
        """Scrape these from now on: labels by address. `__metrics_path__` names another path than
        /metrics; several targets of one address differ in the part behind `#`."""
        groups = [
            {"targets": [address.partition("#")[0]], "labels": dict(labels)}
            for address, labels in targets.items()
        ]
        staged = self.folder / "targets.tmp"
        staged.write_text(json.dumps(groups))
        staged.rename(self.folder / "targets.json")

    def get(self, path: str, **query: str) -> Any:
        """`data` of an answer of its API. Raises QueryError."""
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}{asked}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryError(error.read().decode(errors="replace")) from None

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now. Raises QueryError."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def names(self) -> set[str]:
        """The names of all metrics that it has."""
        return set(self.get("label/__name__/values"))

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        found = self.get("alerts")["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    def passes(self) -> int:
        """How often the rules were evaluated with all targets up, at least."""
        try:
            found = self.query("min(count_over_time(up[10m]))")
        except (OSError, QueryError):  # it is not ready
            return 0
        return int(found[0]["value"][1]) if found else 0


def program(settings: Settings) -> Path:
    """WAYPOST_PROMETHEUS, the one of this machine, or one that is built from source."""
    known = os.environ.get("WAYPOST_PROMETHEUS") or shutil.which("prometheus")
    if known:
        return Path(known)
    return golang.installed(settings, golang.PROMETHEUS_SERVER, Progress())


@contextmanager
def prometheus(
    settings: Settings, folder: Path, *, rules: str, interval: str = "500ms"
) -> Iterator[Prometheus]:
    """Run it with these rules until the context ends, with a scrape in each interval. It has no
    targets yet."""
    (port,) = serving.free_ports(1)
    found = Prometheus(f"http://127.0.0.1:{port}", folder)
    (folder / "rules.yaml").write_text(rules)
    (folder / "prometheus.yml").write_text(_CONFIG % (interval, interval))
    found.scrape({})
    argv = [
        str(program(settings)),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--enable-feature={_FEATURES}",
        "--log.level=warn",
    ]
    with serving.served(argv, log=folder / "prometheus.log", env=os.environ, port=port):
        yield found
