"""Bring up a real Kubernetes to test against: kind, an embedded node, or a cluster you name.

Standard library only, so that it runs before any environment exists:
`python -m e2e.cluster up`. Reading order: `__main__` (commands), `providers` (which cluster),
`embedded.provider` (how one is started from nothing), `images` (what is loaded into it).
"""

import sys

# Run before any environment exists, so by whatever Python there is.
if sys.version_info < (3, 11):  # noqa: UP036
    raise SystemExit(f"e2e.cluster needs Python 3.11 or newer; this is {sys.version.split()[0]}")
