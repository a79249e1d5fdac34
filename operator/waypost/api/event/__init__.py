"""WorkflowEvent: what other systems report to runs. Imports `api.base` only."""
