"""Fails if a package in one of our images has a licence that is not on the list.

python -m scripts.supply.licences
"""

import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

from license_expression import (  # type: ignore[import-untyped]
    AND,
    OR,
    ExpressionError,
    LicenseSymbol,
    get_spdx_licensing,
)

from scripts.supply.locked import Package, every_package

# They ask for a notice at most. MPL-2.0 also for changes of its files, and we change none.
ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CNRI-Python",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    }
)
# A licence beyond the list, the packages that may have it, and why.
EXCEPTIONS: Final = {
    "LGPL-3.0-only": {
        "psycopg": "imported unchanged, as a library; users can replace it in the image",
        "psycopg-binary": "imported unchanged, as a library; users can replace it in the image",
    },
}
# What packages wrote before there was License-Expression.
_WORDS: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
_CLASSIFIER: Final = "License :: OSI Approved :: "
_FIELDS: Final = ("License-Expression", "License")
_SPDX: Final = get_spdx_licensing()


def licence_of(package: Package) -> str:
    """The SPDX expression of a package; what it says of itself if that is none, "" if nothing."""
    if package.ecosystem == "npm":
        return package.licence
    try:
        return declared(distribution(package.name))
    except PackageNotFoundError:
        return ""


def declared(found: Distribution) -> str:
    """What a distribution says of its licence: in its expression, its text, or its classifiers."""
    metadata = found.metadata
    stated = next((metadata[key] for key in _FIELDS if metadata[key]), "").strip()
    stated = stated.partition("\n")[0]  # some put the whole text there; it begins with its name
    if stated in _WORDS or _is_expression(stated):
        return _WORDS.get(stated, stated)
    names = [line.removeprefix(_CLASSIFIER) for line in metadata.get_all("Classifier") or ()]
    known = sorted({_WORDS.get(name, name) for name in names if name in _WORDS or name in ALLOWED})
    return " AND ".join(known) or stated


def problem(package: Package, licence: str) -> str:
    """Why a package may not be in an image; "" if it may."""
    if not licence:
        return "has no licence that can be read"
    if not _is_expression(licence):
        return f"has the licence {licence!r}, which is no SPDX expression"
    allowed = {*ALLOWED, *(one for one, names in EXCEPTIONS.items() if package.name in names)}
    parsed = _SPDX.parse(licence)
    return "" if _permits(parsed, allowed) else f"has the licence {licence}, which is not allowed"


def _permits(expression: object, allowed: set[str]) -> bool:
    if isinstance(expression, OR):
        return any(_permits(part, allowed) for part in expression.args)
    if isinstance(expression, AND):
        return all(_permits(part, allowed) for part in expression.args)
    return isinstance(expression, LicenseSymbol) and expression.key in allowed


def _is_expression(text: str) -> bool:
    try:
        return len(text) <= 200 and _SPDX.parse(text, validate=True, strict=True) is not None
    except ExpressionError:
        return False


def main() -> int:
    """Print each package with a problem; 1 if there is one."""
    found = [(one, problem(one, licence_of(one))) for one in every_package()]
    for package, text in found:
        if text:
            print(f"{package.name} {package.version} ({package.ecosystem}) {text}")
    if any(text for _, text in found):
        print("do: replace it, or add its licence to scripts/supply/licences.py with a reason")
        return 1
    print(f"licences: {len(found)} packages, all allowed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
