"""Runs for coding agents: `waypost mcp`, a server of the Model Context Protocol on standard input.

    command   the command and its options
    server    the tools, their names and descriptions
    views     what a tool answers: the documents of `waypost ... -o json`, bounded

It only reads, with the credentials of the person who started it. May import `views`, and of the
command line `connection`, `reading`, `lint`, `errors` and `options`. The command line finds it by
name only.
"""
