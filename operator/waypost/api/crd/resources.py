"""The kinds of Waypost: their models, and how kubectl shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from waypost.api import meta
from waypost.api.approval import ApprovalSpec, ApprovalStatus
from waypost.api.event.model import WorkflowEventSpec, WorkflowEventStatus
from waypost.api.memory.model import MemoryEntrySpec, MemoryEntryStatus
from waypost.api.provider import ModelProviderSpec, ModelProviderStatus
from waypost.api.record import NodeRecordSpec
from waypost.api.schedule.model import AgentWorkflowScheduleSpec, AgentWorkflowScheduleStatus
from waypost.api.source.model import EventSourceSpec, EventSourceStatus
from waypost.api.status import AgentWorkflowStatus
from waypost.api.template.spec import AgentWorkflowTemplateSpec, AgentWorkflowTemplateStatus
from waypost.api.toolserver import ToolServerSpec, ToolServerStatus
from waypost.api.workflow import AgentWorkflowSpec


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

    name: meta.ResourceName
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel] | None
    columns: tuple[Column, ...]
    # Paths by which the API server filters lists, from Kubernetes 1.31 on.
    selectable: tuple[str, ...] = ()
    # What the API server shows as the status of an object whose status nobody has written.
    unwritten: Mapping[str, str] | None = None

    @property
    def kind(self) -> str:
        """Its kind, as manifests write it."""
        return self.name.kind

    @property
    def file(self) -> str:
        """Name of its file in crds/."""
        return f"{meta.GROUP}_{self.name.plural}.yaml"


_AGE = Column("AGE", ".metadata.creationTimestamp", "date")
_READY = ".status.conditions[?(@.type=='Ready')]"

RESOURCES: Final = (
    Resource(
        name=meta.AGENT_WORKFLOW,
        short="aw",
        description="One durable run of a graph of nodes. spec says what to run and with which "
        "inputs; status holds the checkpoint of every node.",
        spec=AgentWorkflowSpec,
        status=AgentWorkflowStatus,
        columns=(
            Column("PHASE", ".status.phase"),
            Column("PROGRESS", ".status.progress"),
            Column("WAITING", ".status.waiting"),
            Column("TOKENS", ".status.usage.totalTokens", "integer"),
            Column("COST", ".status.usage.costUSD"),
            Column("STAGE", ".status.stage", wide=True),
            Column("TEMPLATE", ".spec.templateRef.name", wide=True),
            Column("STARTED", ".status.startedAt", "date", wide=True),
            Column("FINISHED", ".status.finishedAt", "date", wide=True),
            _AGE,
        ),
    ),
    Resource(
        name=meta.AGENT_WORKFLOW_TEMPLATE,
        short="awt",
        description="A definition that runs share. A run refers to it in spec.templateRef and "
        "gives its own inputs. The template itself runs nothing.",
        spec=AgentWorkflowTemplateSpec,
        status=AgentWorkflowTemplateStatus,
        columns=(
            Column("ACCEPTED", ".status.conditions[?(@.type=='Accepted')].status"),
            Column("SUSPENDED", ".spec.suspend", "boolean"),
            Column("NODES", ".status.nodes", "integer"),
            Column("MESSAGE", ".status.conditions[?(@.type=='Accepted')].message", wide=True),
            _AGE,
        ),
    ),
    Resource(
        name=meta.AGENT_WORKFLOW_SCHEDULE,
        short="awsched",
        description="Starts runs of an AgentWorkflowTemplate at the times of cron lines. Its runs "
        "stay when it is deleted.",
        spec=AgentWorkflowScheduleSpec,
        status=AgentWorkflowScheduleStatus,
        columns=(
            Column("SCHEDULES", ".spec.schedules"),
            Column("ZONE", ".spec.timeZone"),
            Column("SUSPENDED", ".spec.suspend", "boolean"),
            # Not a date: kubectl prints dates as ages, and future times as <invalid>.
            Column("NEXT", ".status.nextAt"),
            Column("LAST", ".status.lastScheduledAt", "date"),
            Column("MISSED", ".status.missed", "integer"),
            Column("BLOCKED", ".status.conditions[?(@.type=='Blocked')].reason", wide=True),
            Column("POLICY", ".spec.concurrencyPolicy", wide=True),
            _AGE,
        ),
    ),
    Resource(
        name=meta.WORKFLOW_EVENT,
        short="awev",
        description="Something that happened outside, for a node of kind event that waits for it "
        "or will. One node takes it.",
        spec=WorkflowEventSpec,
        status=WorkflowEventStatus,
        columns=(
            Column("EVENT", ".spec.name"),
            Column("KEY", ".spec.key"),
            Column("WORKFLOW", ".spec.workflow"),
            Column("PHASE", ".status.phase"),
            Column("RUN", ".status.claim.run"),
            Column("NODE", ".status.claim.path"),
            Column("STARTED", ".status.start.run"),
            Column("MESSAGE", ".status.message", wide=True),
            _AGE,
        ),
        selectable=(".spec.key", ".spec.workflow"),
        unwritten={"phase": "Pending"},
    ),
    Resource(
        name=meta.EVENT_SOURCE,
        short="awsrc",
        description="Makes WorkflowEvents of the HTTP requests of one sender, such as GitHub: says "
        "how it proves who it is, and what becomes of its requests.",
        spec=EventSourceSpec,
        status=EventSourceStatus,
        columns=(
            Column("ACCEPTED", ".status.conditions[?(@.type=='Accepted')].status"),
            Column("SUSPENDED", ".spec.suspend", "boolean"),
            Column("MESSAGE", ".status.conditions[?(@.type=='Accepted')].message", wide=True),
            _AGE,
        ),
    ),
    Resource(
        name=meta.APPROVAL,
        short="ap",
        description="One question of a run to a person. To answer it, set spec.decision to "
        "Approved or Denied. The answer is final once it is recorded in status.",
        spec=ApprovalSpec,
        status=ApprovalStatus,
        columns=(
            Column("RUN", ".spec.run"),
            Column("NODE", ".spec.path"),
            Column("MESSAGE", ".spec.message"),
            Column("DECISION", ".status.state"),
            # Not a date: kubectl prints dates as ages, and future times as <invalid>.
            Column("EXPIRES", ".spec.expiresAt"),
            _AGE,
        ),
    ),
    Resource(
        name=meta.MEMORY_ENTRY,
        short="me",
        description="Something that runs of a workflow and key leave for later ones: an Episode, "
        "which is what a run did, or a Fact. It stays when its run is deleted.",
        spec=MemoryEntrySpec,
        status=MemoryEntryStatus,
        columns=(
            Column("KEY", ".spec.key"),
            Column("TYPE", ".spec.type"),
            Column("SUBJECT", ".spec.subject"),
            Column("TEXT", ".spec.text"),
            Column("PHASE", ".status.phase"),
            Column("SCOPE", ".spec.scope", wide=True),
            Column("RUN", ".spec.source.run", wide=True),
            # Not a date: kubectl prints dates as ages, and future times as <invalid>.
            Column("EXPIRES", ".spec.expiresAt", wide=True),
            _AGE,
        ),
    ),
    Resource(
        name=meta.NODE_RECORD,
        short="nr",
        description="One immutable payload of one attempt of a node. It is too large for the "
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
        name=meta.MODEL_PROVIDER,
        short="mp",
        description="A provider of models: its URL, the Secret with its key, and its prices. "
        "Agent nodes of the same namespace refer to it by name.",
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
        name=meta.TOOL_SERVER,
        short="ts",
        description="An MCP server. Agent nodes of the same namespace refer to it by name and "
        "list the tools that they may call.",
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
