"""What was seen of a run, change by change, and the invariants that each change must keep."""
