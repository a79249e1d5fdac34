"""No module above 400 lines, no test module above 800: `python scripts/module_length.py`.

The numbers are not sacred; they are where a reader loses the thread. Tables of tests are read row
by row and may be longer. Split by idea, not by line.
"""

import subprocess
import sys
from pathlib import Path

LIMIT = 400
TEST_LIMIT = 800


def main() -> int:
    """Print the modules that are too long; 1 when there are any."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py"]
    names = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
    paths = [Path(name) for name in names if name and Path(name).is_file()]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    too_long = {path: length for path, length in lengths.items() if length > limit_of(path)}
    for path, length in sorted(too_long.items()):
        print(f"{path}: {length} lines, the limit is {limit_of(path)}: split it by idea")
    return 1 if too_long else 0


def limit_of(path: Path) -> int:
    """How long this one may be."""
    return TEST_LIMIT if path.name.startswith(("test_", "conftest")) else LIMIT


if __name__ == "__main__":
    sys.exit(main())
