"""The CAs of both gateways, from the file that the kubelet keeps up to date, for node pods."""

import logging
import os
import re
from pathlib import Path
from typing import Final

from waypost.protocol.gateways.trust import Trust

log = logging.getLogger(__name__)

_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)


class NoCertificates(Exception):
    """The file cannot be read, or has no certificate. The message names it."""


class TrustFile:
    """What pods get, as `protocol.gateways` has it.

    Args:
        file: Certificates (PEM).
        gateway: The name in the certificate of the gateway.
        models: The same of the model gateway.

    Raises:
        NoCertificates: Now. Later, the last content that was read stays.
    """

    def __init__(self, file: Path, *, gateway: str, models: str) -> None:
        self._file = file
        self._gateway, self._models = gateway, models
        self._seen = self._mark()
        self._text = self._read()

    def current(self) -> str:
        """The document for the pods of attempts that start now."""
        mark = self._mark()
        if mark != self._seen:
            self._seen = mark
            try:
                self._text = self._read()
                log.info("pods of nodes now get the CAs of %s", self._file)
            except NoCertificates as error:
                log.error("%s; pods of nodes get the CAs from before", error)
        return self._text

    def _mark(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self._file)  # noqa: PTH116 -- a call in each pass
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def _read(self) -> str:
        try:
            found = _CERTIFICATE.findall(self._file.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError) as error:
            raise NoCertificates(f"{self._file} cannot be read: {error}") from None
        if not found:
            raise NoCertificates(f"{self._file} has no certificate (PEM)")
        # Only the certificates: no private key that is beside them by mistake.
        ca = "".join(f"{each}\n" for each in found)
        return Trust(ca, self._gateway, self._models).to_text()
