"""MemoryEntries: their names and labels, the facts that readers need, and what they are now.

The operator, which creates them, and the CLI, which shows and forgets them, use the same functions.
Imports `api`, `protocol` and the helpers of `kube`.
"""
