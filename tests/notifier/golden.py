"""The bodies of all messages. `python -m tests.notifier.golden` writes them to golden.json."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from waypost.notifier.core.messages import Format, message
from waypost.notifier.core.occurrences import TYPES

from tests.notifier.place import occurrence

FILE: Final = Path(__file__).with_name("golden.json")
AT: Final = 1772355600.25  # 2026-03-01T09:00:00.250Z


def bodies() -> dict[str, Any]:
    """Each format with each type; those of schedules name one."""
    found = {}
    for format_ in get_args(Format):
        for type_ in TYPES:
            one = occurrence(type_, at=AT)
            if type_ == "ScheduleBlocked":
                one = replace(one, name="hourly", run="hourly-1", round=0, reason="RunInProgress")
            url = "https://waypost.example/team/"
            found[f"{format_} {type_}"] = message(format_, one, ui_url=url)
    return found


if __name__ == "__main__":
    FILE.write_text(json.dumps(bodies(), indent=1) + "\n", encoding="utf-8")
