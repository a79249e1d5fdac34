"""The runner of node pods: reads the request, runs the node, writes the commit record.

Code of a python node may import one name: `from waypost_node import inputs`, the node's inputs by
name. `waypost_agent` builds on `endpoint_access`, `gateway`, `probe`, `user_code` and `redaction`;
all other modules are private to the runner. This package imports `waypost.protocol` and nothing
else of Waypost, and imports large libraries only when they are needed: every node pays for its
start.
"""

from typing import Any

__all__ = ["inputs"]  # noqa: F822 -- made by __getattr__


def __getattr__(name: str) -> Any:
    # Lazy, so that importing the package does not slow down the start.
    if name == "inputs":
        from waypost_node.request import complete, load

        return complete(load()).inputs
    raise AttributeError(f"module 'waypost_node' has no attribute {name!r}")
