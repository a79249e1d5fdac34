"""What people and programs are shown of runs: documents made from objects. Pure.

CLI, report and web interface print the same documents; their JSON Schema is
`docs/views.schema.json`. A document has no payload, unless its name says so (`NodeIo`). May import
`engine`, for what only its rules can say, and what the engine imports.
"""
