"""The CRDs: rendered from the models, written to crds/.

`python -m waypost.api.schema` writes them; with `--check` it writes nothing, prints what differs
and exits 1.
"""

import argparse
import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel

from waypost.api import meta
from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.crd_rules import RULES
from waypost.api.crd_structural import VALIDATIONS, Schema, structural
from waypost.api.provider import ModelProviderSpec, ModelProviderStatus
from waypost.api.record import NodeRecordSpec
from waypost.api.status import AgentWorkflowStatus
from waypost.api.toolserver import ToolServerSpec, ToolServerStatus
from waypost.api.workflow import AgentWorkflowSpec

_HEADER = "# Written by `make crds` from operator/waypost/api. Do not edit.\n"
_API_VERSION = "Version of the API: waypost.dev/v1alpha1."


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; `wide` ones show with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def render(self) -> dict[str, Any]:
        """The entry of additionalPrinterColumns."""
        entry: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**entry, "priority": 1} if self.wide else entry


@dataclass(frozen=True)
class Resource:
    """One kind and how kubectl shows it."""

    kind: str
    plural: str
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel] | None
    columns: tuple[Column, ...]

    @property
    def file(self) -> str:
        """Name of its file in crds/."""
        return f"{meta.GROUP}_{self.plural}.yaml"


_AGE = Column("AGE", ".metadata.creationTimestamp", "date")
_READY = ".status.conditions[?(@.type=='Ready')]"

RESOURCES: Final = (
    Resource(
        kind="AgentWorkflow",
        plural="agentworkflows",
        short="aw",
        description="One durable run of a graph of nodes: what to run, with what inputs, and, in "
        "status, the checkpoint of every node.",
        spec=AgentWorkflowSpec,
        status=AgentWorkflowStatus,
        columns=(
            Column("PHASE", ".status.phase"),
            Column("PROGRESS", ".status.progress"),
            Column("WAITING", ".status.waiting"),
            Column("TOKENS", ".status.usage.totalTokens", "integer"),
            Column("COST", ".status.usage.costUSD"),
            Column("STARTED", ".status.startedAt", "date", wide=True),
            Column("FINISHED", ".status.finishedAt", "date", wide=True),
            _AGE,
        ),
    ),
    Resource(
        kind="Approval",
        plural="approvals",
        short="ap",
        description="One question of a run to a human. Answer it by patching spec.decision "
        "(Approved or Denied); final once it is recorded in status.",
        spec=ApprovalSpec,
        status=ApprovalStatus,
        columns=(
            Column("RUN", ".spec.run"),
            Column("NODE", ".spec.path"),
            Column("MESSAGE", ".spec.message"),
            Column("DECISION", ".status.state"),
            # Not a date: kubectl prints dates as ages, and a time to come as <invalid>.
            Column("EXPIRES", ".spec.expiresAt"),
            _AGE,
        ),
    ),
    Resource(
        kind="NodeRecord",
        plural="noderecords",
        short="nr",
        description="One immutable payload of one attempt of a node that is too big for the "
        "status of its run.",
        spec=NodeRecordSpec,
        status=None,
        columns=(
            Column("RUN", ".spec.run"),
            Column("PATH", ".spec.path"),
            Column("ATTEMPT", ".spec.attempt", "integer"),
            Column("TYPE", ".spec.type"),
            Column("SIZE", ".spec.size", "integer"),
            _AGE,
        ),
    ),
    Resource(
        kind="ModelProvider",
        plural="modelproviders",
        short="mp",
        description="Where models are, which Secret opens them and what their tokens cost. Agent "
        "nodes of the namespace name it.",
        spec=ModelProviderSpec,
        status=ModelProviderStatus,
        columns=(
            Column("TYPE", ".spec.type"),
            Column("READY", f"{_READY}.status"),
            Column("REASON", f"{_READY}.reason"),
            Column("MESSAGE", f"{_READY}.message", wide=True),
            _AGE,
        ),
    ),
    Resource(
        kind="ToolServer",
        plural="toolservers",
        short="ts",
        description="An MCP server. Agent nodes of the namespace name it, and the tools of it "
        "that they may call.",
        spec=ToolServerSpec,
        status=ToolServerStatus,
        columns=(
            Column("READY", f"{_READY}.status"),
            Column("REASON", f"{_READY}.reason"),
            Column("TOOLS", ".status.toolsFound", "integer"),
            Column("MESSAGE", f"{_READY}.message", wide=True),
            _AGE,
        ),
    ),
)


def manifest(resource: Resource) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    version: dict[str, Any] = {
        "name": meta.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [column.render() for column in resource.columns],
        "schema": {"openAPIV3Schema": _root(resource)},
    }
    if resource.status is not None:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{meta.GROUP}"},
        "spec": {
            "group": meta.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "shortNames": [resource.short],
                "categories": [meta.CATEGORY],
            },
            "versions": [version],
        },
    }


def _root(resource: Resource) -> Schema:
    validations = {key: [rule.render() for rule in rules] for key, rules in RULES.items()}
    properties: Schema = {
        "apiVersion": {"description": _API_VERSION, "type": "string"},
        "kind": {"description": f"Always {resource.kind}.", "type": "string"},
        "metadata": {"type": "object"},
        "spec": structural(resource.spec, validations),
    }
    if resource.status is not None:
        properties["status"] = structural(resource.status, validations)
    root = {
        "description": resource.description,
        "type": "object",
        "required": ["spec"],
        "properties": properties,
    }
    rules = validations.get(resource.kind)
    return {**root, VALIDATIONS: rules} if rules else root


def render() -> dict[str, str]:
    """The text of every file of crds/, by name."""
    return {resource.file: _HEADER + _to_yaml(manifest(resource)) for resource in RESOURCES}


class _Plain(yaml.SafeDumper):
    """No anchors: a schema that is used twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _to_yaml(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; the exit code is 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m waypost.api.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on a difference")
    parser.add_argument("--directory", type=Path, default=Path("crds"), help="default: ./crds")
    options = parser.parse_args(arguments)
    differences = list(_differences(options.directory))
    if options.check:
        sys.stdout.writelines(differences)
        return 1 if differences else 0
    options.directory.mkdir(parents=True, exist_ok=True)
    for name, text in render().items():
        (options.directory / name).write_text(text, encoding="utf-8")
    return 0


def _differences(directory: Path) -> list[str]:
    lines: list[str] = []
    for name, text in render().items():
        path = directory / name
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        lines += difflib.unified_diff(
            found.splitlines(keepends=True),
            text.splitlines(keepends=True),
            fromfile=str(path),
            tofile="the models",
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
