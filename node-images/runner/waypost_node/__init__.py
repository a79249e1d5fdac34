"""What code in a `python` node may import: `from waypost_node import inputs`."""

from typing import Any


def __getattr__(name: str) -> Any:
    # Lazy, so that importing the package costs the cold start nothing.
    if name == "inputs":
        from waypost_node.request import complete, load

        return complete(load()).inputs
    raise AttributeError(f"module 'waypost_node' has no attribute {name!r}")
