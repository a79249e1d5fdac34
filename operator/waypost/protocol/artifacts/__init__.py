"""Artifacts: folders that nodes pass to each other (docs/artifacts.md).

`limits` has names and limits that operator, gateway and pods share, `request` the part of the
request document about them, `media` what a file may cost a model.
"""
