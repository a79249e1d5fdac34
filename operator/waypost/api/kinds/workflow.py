"""Kind `workflow`: run a template as a separate run, the child of this one."""

from typing import Final

from pydantic import Field

from waypost.api.base import Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.template.ref import TemplateRef


class WorkflowKind(Model):
    """Run an AgentWorkflowTemplate as a child run, without a pod. inputs of the node are the inputs
    of the child run, and the outputs of the child run are the output of the node."""

    template_ref: TemplateRef = Field(
        description="The AgentWorkflowTemplate that the child run runs. The child run reads it "
        "when it is accepted; later changes of the template do not reach it."
    )


KIND: Final = NodeKind("workflow", WorkflowKind, has_pod=False)
