"""The headers of a request."""

from collections.abc import Iterable


class Headers:
    """Headers by their name in lower case. One that was sent twice counts as not sent where it
    matters which of them is right."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def only(self, name: str) -> str:
        """The value of a header that was sent once; "" otherwise."""
        found = self._values.get(name, [])
        return found[0] if len(found) == 1 else ""

    def joined(self, name: str) -> str:
        """All values of a header with commas between them; "" if it was not sent."""
        return ", ".join(self._values.get(name, []))
