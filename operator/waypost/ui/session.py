"""What a browser needs for each request: a cookie, and a key that only this page can read.

The link that `waypost ui` prints has a secret in its fragment, which a browser does not send. The
page exchanges it, once, for both. A cookie alone is not enough: browsers send it to every port of a
host, so another program on this machine could read it.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Final

KEY_HEADER: Final = "x-waypost-key"
_MOST: Final = 20  # sessions


@dataclass
class Sessions:
    """The link that has not been used yet, and the sessions of browsers."""

    port: int
    secret: str | None = field(default_factory=lambda: secrets.token_urlsafe(32))
    _held: dict[str, str] = field(default_factory=dict)  # key by cookie

    @property
    def cookie(self) -> str:
        """The name of the cookie. Cookies do not differ by port, so the name does."""
        return f"waypost-ui-{self.port}"

    def exchange(self, secret: str) -> tuple[str, str] | None:
        """A cookie and a key for the secret of the link; None if it is wrong or was used."""
        if self.secret is None or not hmac.compare_digest(secret.encode(), self.secret.encode()):
            return None
        self.secret = None
        return self.open()

    def open(self) -> tuple[str, str]:
        """A new session: cookie and key. Very old ones end."""
        cookie, key = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._held[cookie] = key
        while len(self._held) > _MOST:
            self._held.pop(next(iter(self._held)))
        return cookie, key

    def holds(self, cookie: str, key: str) -> bool:
        """Whether the two belong to a session."""
        known = self._held.get(cookie)
        return known is not None and hmac.compare_digest(known.encode(), key.encode())
