"""A certificate that others make, such as cert-manager, in files that the kubelet keeps current."""

from pathlib import Path

from waypost.gateway.tls.serving import NoCertificate, Pair


class Files:
    """The files tls.crt and tls.key of a folder, as a Secret of type kubernetes.io/tls has them."""

    again_seconds = 10.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: Pair | None = None

    async def renewed(self) -> Pair | None:
        """What is in the files, if it is new; else None. Raises NoCertificate."""
        try:
            # Small files in memory.
            pair = Pair(*((self._folder / name).read_bytes() for name in ("tls.crt", "tls.key")))
        except OSError as error:
            raise NoCertificate(f"the certificate cannot be read: {error}") from error
        if pair == self._last:
            return None
        self._last = pair
        return pair
