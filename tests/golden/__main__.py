"""Record the golden set of the present release: python -m tests.golden

Once a release is out its set is never written again.
"""

import json
from importlib.metadata import version
from pathlib import Path

from tests.golden.moments import recorded

if __name__ == "__main__":
    folder = Path(__file__).parent / version("waypost")
    folder.mkdir(exist_ok=True)
    target = folder / "run.json"
    target.write_text(json.dumps(recorded(), indent=1, sort_keys=True) + "\n")
    print(target)
