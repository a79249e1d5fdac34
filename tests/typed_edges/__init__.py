"""Workflows with one mistake each, and right ones: what the check of typed edges is held to.

The wrong ones pass the API server; `tests/unit/compiler/test_type_check.py` runs them through the
engine, `tests/cli/test_lint.py` through lint, `e2e/suite/test_typed_edges.py` on a cluster. The
message is the same everywhere.
"""

from tests.typed_edges.choices import CHOICES_DOUBTFUL, CHOICES_RIGHT, CHOICES_WRONG
from tests.typed_edges.doubtful import DOUBTFUL
from tests.typed_edges.loops import LOOPS_RIGHT, LOOPS_WRONG
from tests.typed_edges.right import RIGHT
from tests.typed_edges.words import Wrong
from tests.typed_edges.wrong_expressions import EXPRESSIONS, GRAPHS
from tests.typed_edges.wrong_paths import PATHS
from tests.typed_edges.wrong_types import TYPES

WRONG: dict[str, Wrong] = {
    **PATHS,
    **TYPES,
    **EXPRESSIONS,
    **GRAPHS,
    **LOOPS_WRONG,
    **CHOICES_WRONG,
}

__all__ = [
    "CHOICES_DOUBTFUL",
    "CHOICES_RIGHT",
    "DOUBTFUL",
    "LOOPS_RIGHT",
    "RIGHT",
    "WRONG",
    "Wrong",
]
