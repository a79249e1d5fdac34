"""The start of a python node: what is not needed before the user's first line is not imported."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.runner.bench import Bench

STARTED: Final = (
    "import json, sys\nimport waypost_node.__main__\nprint(json.dumps(list(sys.modules)))"
)
NOTHING: Final = "import json, sys\nprint(json.dumps(list(sys.modules)))"
SOURCE: Final = "import sys\ndef run(): return sorted(sys.modules)\n"
# Each takes more time than the whole of the runner's own code, or brings something that does.
HEAVY: Final = {"pathlib", "inspect", "hashlib", "asyncio", "traceback", "httpx2", "rfc8785"}
MOST: Final = 60  # modules, of which 20 are the runner's


def modules(program: str) -> set[str]:
    """The modules of a fresh interpreter after a program, without those of its site."""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    return set(json.loads(done.stdout))


def test_the_runner_imports_little() -> None:
    added = modules(STARTED) - modules(NOTHING)
    assert not added & HEAVY
    assert len(added) <= MOST, sorted(added)


def test_the_users_first_line_waits_for_nothing_heavy(tmp_path: Path) -> None:
    loaded = Bench(tmp_path).run(source=SOURCE).record.output
    assert not set(loaded) & (HEAVY - modules(NOTHING))
