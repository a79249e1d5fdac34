"""No module above 400 lines: `python scripts/module_length.py [LIMIT]`. Stdlib only.

The number is not sacred; it is where a reader loses the thread. Split by idea, not by line.
"""

import subprocess
import sys
from pathlib import Path

LIMIT = 400


def main(arguments: list[str]) -> int:
    """Print the modules that are too long; 1 when there are any."""
    limit = int(arguments[0]) if arguments else LIMIT
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py"]
    names = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
    paths = [Path(name) for name in names if name and Path(name).is_file()]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    too_long = {path: length for path, length in lengths.items() if length > limit}
    for path, length in sorted(too_long.items()):
        print(f"{path}: {length} lines, the limit is {limit}: split it by idea")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
