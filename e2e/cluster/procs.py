"""Processes that outlive the command that started them, distinguished from recycled pids.

A pid alone names nobody: after a reboot, or enough forks, it belongs to a stranger. A process is
therefore recorded with its start time and the boot it lives in, and is signalled through a
descriptor of the very process that was checked.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

PROC = Path("/proc")
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for all time: pid, start time in clock ticks since boot, and that boot's id."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a started component; `digest` is of its arguments and files."""

    identity: Identity
    digest: str


def identify(pid: int, *, proc: Path = PROC) -> Identity | None:
    """Return who runs under this pid now; none when nobody does, or only a zombie."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return None
    # The command name, in parentheses, may itself contain spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return Identity(pid=pid, started=int(fields[19]), boot=boot)


def is_alive(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def spawn(argv: Sequence[str], *, log: Path, env: Mapping[str, str]) -> Identity | None:
    """Start a program in a separate session, output appended to `log`.

    None when it was gone before it could be identified.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=env,
            cwd="/",
            start_new_session=True,
        )
    # The child is meant to outlive this process: without this, Popen warns when collected.
    child.returncode = 0
    return identify(child.pid)


def stop(identities: Sequence[Identity], *, grace: float) -> list[Identity]:
    """Ask each to end, kill after `grace` seconds; returns those that would not even die."""
    for identity in identities:
        _signal(identity, signal.SIGTERM)
    return kill(_gone_within(identities, grace))


def kill(identities: Sequence[Identity]) -> list[Identity]:
    """Kill each, unasked; returns those that would not even die."""
    for identity in identities:
        _signal(identity, signal.SIGKILL)
    return _gone_within(identities, 10.0)


def matching(belongs: Callable[[Path], bool], *, proc: Path = PROC) -> Iterator[Identity]:
    """Every live process but this one whose /proc folder satisfies `belongs`."""
    for entry in proc.iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        before = identify(int(entry.name), proc=proc)
        try:
            ours = belongs(entry)
        except OSError:
            continue
        if ours and before is not None and before == identify(before.pid, proc=proc):
            yield before


def save(path: Path, record: Record) -> None:
    """Write a record whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(record)))
    temporary.replace(path)


def load(path: Path) -> Record | None:
    """Read a record; one that is missing or damaged says nothing, and that is none."""
    try:
        raw = json.loads(path.read_text())
        return Record(identity=Identity(**raw["identity"]), digest=str(raw["digest"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _signal(identity: Identity, number: signal.Signals) -> None:
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return
    try:
        # The descriptor pins the process: who passes this check is who gets the signal.
        if is_alive(identity):
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)


def _gone_within(identities: Sequence[Identity], seconds: float) -> list[Identity]:
    deadline = time.monotonic() + seconds
    remaining = [identity for identity in identities if is_alive(identity)]
    while remaining and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        remaining = [identity for identity in remaining if is_alive(identity)]
    return remaining
