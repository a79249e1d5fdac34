"""AgentWorkflowTemplate: a definition that runs share. `spec` holds the models.

Imports `waypost.api.workflow` and `waypost.api.base`.
"""
