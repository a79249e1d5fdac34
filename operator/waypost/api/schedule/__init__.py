"""AgentWorkflowSchedule: when runs of a template start. `model` holds spec and status.

Imports `waypost.api.base`, `waypost.api.kinds` and `waypost.api.template`.
"""
