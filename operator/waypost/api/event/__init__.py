"""WorkflowEvent: what other systems report to runs. Imports `api.base` and
`api.template.ref` only."""
