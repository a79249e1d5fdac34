"""Tool calls of agents that people decide on: an Approval for each, and the decisions for the next
attempt."""
