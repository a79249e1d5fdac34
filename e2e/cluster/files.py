"""Folders that are either complete or absent, however a run ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster import shell


@contextmanager
def staging(beside: Path) -> Iterator[Path]:
    """A new folder next to `beside`, removed at the end; the caller renames what is finished.

    Each run has its own: an orphan of a killed run may still be writing into the last one.
    The caller holds the lock under which `beside` is made, so other remnants are nobody's.
    """
    for remnant in beside.parent.glob(f"{beside.name}.staging-*"):
        shutil.rmtree(remnant, ignore_errors=True)
    folder = beside.with_name(f"{beside.name}.staging-{os.getpid()}")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unmount_below(folder: Path) -> None:
    """Unmount what killed programs left in a folder, the innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [Path(line.split()[4]) for line in lines]
    for target in sorted((one for one in targets if folder in one.parents), reverse=True):
        shell.succeeds(["umount", "--lazy", str(target)])
