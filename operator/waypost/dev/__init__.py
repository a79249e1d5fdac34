"""The scripted model server, for developing and testing workflows. Never part of a run.

`script` defines the format of scripts, `player` chooses the answer to a request, each `*_wire`
module reads and writes the API of one provider, `model_server` serves them. Used by `waypost dev`
and by tests.
"""
