"""Commands that read: what runs are and do.

`waypost.cli.app` imports a module when its command is called. Commands may import
`waypost.cli.connection`, `waypost.cli.report` and `waypost.cli.options`; no command imports
another.
"""
