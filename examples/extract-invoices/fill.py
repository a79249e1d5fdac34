"""Put a document into the workflow's inputs and print the manifest.

    python3 fill.py DOCUMENT | kubectl create -f -

Needs Python alone.
"""

import argparse
import json
import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parent / "workflow.yaml"
_INPUTS = re.compile(r"^  inputs:\n(?:    .*\n)+", re.MULTILINE)
_LIMIT = 20000


def fill(template: str, *, document: str, name: str) -> str:
    """The manifest with this document, as a run with its own name."""
    # JSON is YAML too, and quotes whatever a document may hold.
    block = f"  inputs: {json.dumps({'document': document}, ensure_ascii=False)}\n"
    filled = _INPUTS.sub(lambda _: block, template, count=1)
    return filled.replace("  name: extract-invoices\n", f"  generateName: invoice-{name}-\n", 1)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("document", type=Path)
    path = parser.parse_args(argv).document
    try:
        document = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    if not 20 <= len(document) <= _LIMIT:
        print(f"{path}: expected 20 to {_LIMIT} characters, found {len(document)}", file=sys.stderr)
        return 1
    name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40] or "document"
    print(fill(TEMPLATE.read_text(encoding="utf-8"), document=document, name=name), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
