"""Updates of child runs: what the operator may change, and what nobody may."""

from tests.crds.manifests import node, workflow
from tests.crds.transitions import judged, row, spec

TWO = workflow(nodes=[node("a"), node("b")])
YES = judged("True")
PARENT = {
    "run": "p",
    "uid": "1",
    "root": "1",
    "path": "a",
    "templates": [""],
    "children": 9,
}
CHILD = workflow(parent=PARENT)

TRANSITIONS = [
    row("parent-added", TWO, YES, spec(parent=PARENT), "only the operator writes spec.parent"),
    row("parent-removed", CHILD, YES, spec(parent=None), "only the operator writes spec.parent"),
    row(
        "parent-of-another-uid",
        CHILD,
        YES,
        spec(parent={**PARENT, "uid": "2"}),
        "is, or is not, the child of another run",
    ),
    row("parent-lends", CHILD, YES, spec(parent={**PARENT, "budget": {"tokens": 9}})),
    row(
        "parent-changes-the-key",
        CHILD,
        YES,
        spec(parent={**PARENT, "concurrency": {"key": "crm", "limit": 2}}),
    ),
    row("parent-cancels", CHILD, YES, spec(parent={**PARENT, "cancel": True})),
]
