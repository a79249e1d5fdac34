"""The gateway: a small service that keeps payloads which fit neither a commit record nor a request
document (docs/adr/0008-agent-nodes.md). Any number of replicas; none holds state."""
