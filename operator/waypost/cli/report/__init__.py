"""What a run looks like to a person: load it, describe it, print it.

`load_report` reads a run and its traces from the cluster, `run_report` defines the JSON document,
`render` prints it, `format` writes durations, counts and foreign text. Imports
`waypost.cli.connection`, never `waypost.cli.commands`.
"""
