"""The gateway: stores payloads that are too large for a commit record or a request document.

Pods upload results and traces and read their inputs; agents keep their journal here
(docs/adr/0008-agent-nodes.md, 0011-agent-journal.md). Replicas hold no state. `main` wires the
service, `app` is its HTTP interface. Nothing outside this package imports these, except the command
`waypost gateway`; other services share `server`, `tls`, `authentication` and `upload_limiter`.
"""
