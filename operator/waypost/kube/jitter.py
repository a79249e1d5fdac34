"""Deterministic jitter: delays that begin together end apart, and are the same after a crash."""

import hashlib
from datetime import timedelta


def jittered(seconds: float, *, seed: str, spread: float) -> timedelta:
    """Lengthen a delay by up to the fraction `spread` of itself.

    Args:
        seconds: The pause, at least 0.
        seed: Identifies who pauses; equal seeds get equal pauses.
        spread: Largest fraction that is added, such as 0.1 for 10 %.

    Returns:
        The pause, rounded to milliseconds.
    """
    fraction = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32
    return timedelta(seconds=round(seconds * (1.0 + spread * fraction), 3))
