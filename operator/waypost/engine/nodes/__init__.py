"""What is specific to a kind of node: agent and http requests, approvals, votes, waits.

May import `engine.scheduling` and `state`, and what the engine imports.
"""
