"""Asks OSV (https://osv.dev) for known vulnerabilities of what our images contain.

    python -m scripts.supply.audit [--url URL]

Ends with 0 if none is known, 1 if one is, and 2 if that could not be found out.
"""

import json
import sys
import urllib.request
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from scripts.supply.locked import Package, every_package

URL: Final = "https://api.osv.dev/v1/querybatch"
NONE, FOUND, UNKNOWN = 0, 1, 2
_SECONDS: Final = 60
_ECOSYSTEMS: Final = {"pypi": "PyPI", "npm": "npm"}
# A vulnerability that does not concern us, and why. A reason ends with a date, for the next reader.
ACCEPTED: Final[dict[str, str]] = {}


class NoAnswer(Exception):
    """OSV cannot be asked, or did not answer the question."""


def vulnerabilities(packages: Sequence[Package], url: str) -> dict[Package, list[str]]:
    """The ids of the known vulnerabilities of each package that has any.

    Raises:
        NoAnswer: with what happened.
    """
    found: dict[Package, list[str]] = {}
    waiting = [(one, "") for one in packages]
    while waiting:
        results = _asked([_query(one, token) for one, token in waiting], url)
        if len(results) != len(waiting):
            raise NoAnswer(f"{url} answered {len(results)} of {len(waiting)} questions")
        following = []
        for (one, _), result in zip(waiting, results, strict=True):
            if ids := [entry["id"] for entry in result.get("vulns", ())]:
                found.setdefault(one, []).extend(ids)
            if token := result.get("next_page_token"):
                following.append((one, token))
        waiting = following
    return found


def _query(package: Package, token: str) -> dict[str, Any]:
    named = {"name": package.name, "ecosystem": _ECOSYSTEMS[package.ecosystem]}
    page = {"page_token": token} if token else {}
    return {"package": named, "version": package.version, **page}


def _asked(queries: list[dict[str, Any]], url: str) -> list[dict[str, Any]]:
    body = json.dumps({"queries": queries}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            if answer.status != HTTPStatus.OK:
                raise NoAnswer(f"{url} answered {answer.status}")
            results = json.loads(answer.read())["results"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoAnswer(f"{url}: {error}") from error
    if not isinstance(results, list):
        raise NoAnswer(f"{url} answered no list")
    return results


def main(arguments: Sequence[str]) -> int:
    """Print what is known; the exit code says what was found."""
    url = arguments[1] if arguments[:1] == ["--url"] else URL
    packages = every_package()
    try:
        found = vulnerabilities(packages, url)
    except NoAnswer as error:
        print(f"error: nothing was audited\n  found: {error}", file=sys.stderr)
        print("  do:    run this where OSV can be reached; the release does", file=sys.stderr)
        return UNKNOWN
    open_ones = {
        one: fresh
        for one, ids in found.items()
        if (fresh := [each for each in ids if each not in ACCEPTED])
    }
    for package, ids in sorted(open_ones.items()):
        print(f"{package.name} {package.version} ({package.ecosystem}): {', '.join(ids)}")
    accepted = len({each for ids in found.values() for each in ids if each in ACCEPTED})
    print(f"audit: {len(packages)} packages, {len(open_ones)} vulnerable, {accepted} accepted")
    return FOUND if open_ones else NONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
