"""Tools of an agent: functions and MCP servers, their names, effects and results.

Imports `waypost.protocol`, `waypost_node` and the modules of this image beside the loop.
"""
