"""The loop for AgentWorkflowSchedules: reads what a step needs, writes, creates runs.

`controller` is the loop, `reads` makes the live reads, `acts` creates, cancels and deletes runs.
"""
