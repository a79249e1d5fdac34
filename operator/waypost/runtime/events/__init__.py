"""The loop for WorkflowEvents: what becomes of those that no pass over a run looks at.

Imports `engine.events`, the cache and `writes`.
"""
