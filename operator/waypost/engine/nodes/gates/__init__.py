"""Approval gates: the question, the votes, and the status of the Approval, for `nodes.approval`."""
