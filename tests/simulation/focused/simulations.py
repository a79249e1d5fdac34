"""The focused simulations: their seeded bugs, which hold how a plan is drawn and played, and how
many seeds from 0 on are tests. The gate plays those of `gate.txt`, `make nightly` all."""

from typing import Any, Final

from tests.simulation.archive import seeded as archive
from tests.simulation.calls import seeded as calls
from tests.simulation.egress import seeded as egress
from tests.simulation.events import seeded as events
from tests.simulation.focused.hunting import Bugs
from tests.simulation.folders import seeded as folders
from tests.simulation.item_folders import seeded as item_folders
from tests.simulation.memory import seeded as memory
from tests.simulation.questions import seeded as questions
from tests.simulation.queues import seeded as queues
from tests.simulation.sagas import seeded as sagas
from tests.simulation.schedules import seeded as schedules
from tests.simulation.slots import seeded as slots
from tests.simulation.trees import seeded as trees

SIMULATIONS: Final[dict[str, tuple[Bugs[Any], int]]] = {
    "archive": (archive.bug, 60),
    "calls": (calls.bug, 80),
    "egress": (egress.bug, 40),
    "events": (events.bug, 60),
    "folders": (folders.bug, 40),
    "item_folders": (item_folders.bug, 40),
    "memory": (memory.bug, 48),
    "questions": (questions.bug, 80),
    "queues": (queues.bug, 40),
    "sagas": (sagas.bug, 60),
    "schedules": (schedules.bug, 48),
    "slots": (slots.bug, 60),
    "trees": (trees.bug, 60),
}
