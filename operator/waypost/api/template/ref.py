"""The reference to an AgentWorkflowTemplate, of a run and of a node."""

from pydantic import Field

from waypost.api.base import Model, ObjectName


class TemplateRef(Model):
    """An AgentWorkflowTemplate in the namespace of the run."""

    name: ObjectName = Field(description="Name of the AgentWorkflowTemplate. It is fixed text.")
