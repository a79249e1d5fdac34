"""The commands of `waypost`, one module each.

`waypost.cli.app` imports a module when its command is called. Commands may import
`waypost.cli.connection` and `waypost.cli.report`; no command imports another. `options` holds the
options that several commands share.
"""
