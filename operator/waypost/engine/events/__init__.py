"""What becomes of WorkflowEvents: pure. The nodes that take them are in `nodes.event`."""
