"""Kind `workflow`: run a template as a separate run, the child of this one."""

from typing import Final

from pydantic import Field

from waypost.api.base import Model
from waypost.api.kinds.kind import NodeKind
from waypost.api.template.called import Called
from waypost.api.template.local import LocalName
from waypost.api.template.ref import TemplateRef


class WorkflowKind(Model):
    """Run a template as a child run, without a pod: exactly one of template and templateRef. inputs
    of the node are the inputs of the child run, and the outputs of the child run are the output of
    the node."""

    template: LocalName | None = Field(
        default=None,
        description="Name of a local template: one in templates of this object.",
    )
    template_ref: TemplateRef | None = Field(
        default=None,
        description="The AgentWorkflowTemplate that the child run runs. The child run reads it "
        "when it is accepted; later changes of the template do not reach it.",
    )

    @property
    def called(self) -> Called:
        """The template that the child run runs."""
        if self.template_ref is not None:
            return Called(self.template_ref.name)
        return Called(self.template or "", local=True)


KIND: Final = NodeKind("workflow", WorkflowKind, has_pod=False)
