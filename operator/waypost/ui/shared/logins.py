"""Sessions of browsers that have presented a token. The tokens are in memory only.

A browser has a cookie, which scripts cannot read, and a key, which other ports of the host do not
get. The cookie is short whatever the token says: some proxies refuse long ones.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

COOKIE: Final = "waypost-ui-session"
LIFETIME: Final = 12 * 3600.0  # seconds
_MOST: Final = 1000


@dataclass(frozen=True)
class _Login:
    key: str = field(repr=False)
    token: str = field(repr=False)
    until: float


@dataclass
class Logins:
    """The sessions. `clock`: monotonic seconds."""

    clock: Callable[[], float] = monotonic
    _held: dict[str, _Login] = field(default_factory=dict, repr=False)  # by cookie

    def open(self, token: str) -> tuple[str, str]:
        """A new session: cookie and key. The oldest one ends if there are very many."""
        cookie, key = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._held[cookie] = _Login(key, token, self.clock() + LIFETIME)
        while len(self._held) > _MOST:
            self._held.pop(next(iter(self._held)))
        return cookie, key

    def token(self, cookie: str, key: str) -> str:
        """The token of a session; "" if the two belong to none, or it is over."""
        known = self._held.get(cookie)
        if known is None or not hmac.compare_digest(known.key.encode(), key.encode()):
            return ""
        return known.token if self.clock() < known.until else ""

    def close(self, cookie: str, key: str) -> str:
        """End a session. Returns its token if no other session has the same, else ""."""
        token = self.token(cookie, key)
        if token:
            self._held.pop(cookie)
        return "" if any(one.token == token for one in self._held.values()) else token

    def forget(self, token: str) -> None:
        """End all sessions with a token."""
        self._held = {k: one for k, one in self._held.items() if one.token != token}

    def over(self) -> set[str]:
        """End the sessions whose time is over. Returns tokens that no session has any more."""
        now = self.clock()
        ended = {one.token for one in self._held.values() if now >= one.until}
        self._held = {k: one for k, one in self._held.items() if now < one.until}
        return ended - {one.token for one in self._held.values()}
