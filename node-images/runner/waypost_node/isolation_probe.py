"""The program of the init container that waits until the network policy of its pod holds.

It ends with exit code 0 when the pod reaches what it must reach, and then twice nothing that its
policy must block; with 1 and a message if that has not happened in time. Then the node is never
started. With exit code 0, its message says what it has measured (`measured`). A probe that only
reports always ends with 0.
"""

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal, NamedTuple

from waypost.protocol.isolation import (
    MUST_FAIL,
    MUST_REACH,
    NO_DNS,
    PATIENCE,
    REPORT,
    REPORT_PATIENCE,
    Measured,
)

MESSAGE_FILE: Final = "/dev/termination-log"
_CONNECT: Final = 1.0  # seconds for a connection: policies drop packets, so most take all of it
_PAUSE: Final = 0.2  # seconds between two looks

_DNS_PORT: Final = 53
# RFC 1035: the name servers of the root; any answer shows that the question has arrived.
_QUESTION: Final = bytes.fromhex("5750 0100 0001 0000 0000 0000 00 0002 0001")


class Target(NamedTuple):
    """Something that a pod may reach. By UDP it is reached if it answers a question of DNS."""

    host: str
    port: int
    protocol: Literal["TCP", "UDP"] = "TCP"


Connects = Callable[[Target], bool]


def main() -> int:
    """Wait until the isolation holds; returns the exit code."""
    blocked, needed = _targets(os.environ, Path("/etc/resolv.conf"))
    only_reports = REPORT in os.environ
    patience = REPORT_PATIENCE if only_reports else PATIENCE
    problem = wait_for_isolation(blocked, needed, patience=patience)
    if problem:
        print(problem, file=sys.stderr)
    if problem and not only_reports:
        _say(problem)
        return 1
    _say(measured(problem, Path("/proc/self")).to_text())
    return 0


def _say(message: str) -> None:
    with Path(os.environ.get("WAYPOST_MESSAGE", MESSAGE_FILE)).open("wb") as file:
        file.write(message.encode()[:2048])  # in place: it is a bind mount


def measured(problem: str, process: Path) -> Measured:
    """What holds in this pod, by what the kernel says of this process.

    Args:
        problem: Why egress does not hold; "" if it does.
        process: Its folder in /proc.
    """
    found: dict[str, bool] = {"Egress": not problem}
    lines = [line.partition(":") for line in _lines(process / "status")]
    status = {name: value.split() for name, _, value in lines}
    if mode := status.get("Seccomp"):
        found["Seccomp"] = mode[0] == "2"  # a filter
    users, rights, fixed = (status.get(key) for key in ("Uid", "CapEff", "NoNewPrivs"))
    if users and rights and fixed:
        may_nothing = int(rights[0], 16) == 0 and fixed[0] == "1"
        found["Restricted"] = "0" not in users and may_nothing
    if maps := _lines(process / "uid_map"):
        # Without a user namespace, user 0 is user 0 of the machine.
        found["UserNamespace"] = maps[0].split()[:2] != ["0", "0"]
    held = tuple(name for name, holds in found.items() if holds)
    return Measured(held, tuple(name for name in found if name not in held), problem)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def wait_for_isolation(
    blocked: Sequence[Target],
    needed: Sequence[Target],
    *,
    patience: float = PATIENCE,
    connects: Connects | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until no connection to `blocked` succeeds.

    Args:
        blocked: What the policy must block.
        needed: What it must allow: an address that does not answer yet proves nothing.
        patience: Seconds until it gives up.
        connects: Whether a connection succeeds.
        clock: Seconds.
        sleep: Waits.

    Returns:
        Why the isolation is not verified in this time; "" once it is.
    """
    look = _Look(connects or _connects)
    until = clock() + patience
    failures = 0
    while True:
        missing = [target for target in needed if target not in look.reached(needed)]
        reached = [] if missing else look.reached(blocked)
        failures = 0 if missing or reached else failures + 1
        if failures == 2:
            return ""
        if clock() >= until:
            return _problem(missing, reached)
        sleep(_PAUSE)


class _Look:
    def __init__(self, connects: Connects) -> None:
        self._connects = connects

    def reached(self, targets: Sequence[Target]) -> list[Target]:
        """Those that connect, tried at the same time."""
        if not targets:
            return []
        with ThreadPoolExecutor(len(targets)) as pool:
            found = list(pool.map(self._connects, targets))
        return [target for target, connected in zip(targets, found, strict=True) if connected]


def _connects(target: Target) -> bool:
    try:
        if target.protocol == "UDP":
            return _answers(target)
        socket.create_connection((target.host, target.port), timeout=_CONNECT).close()
    except OSError:
        return False
    return True


def _answers(server: Target) -> bool:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.settimeout(_CONNECT)
        link.connect((server.host, server.port))
        link.send(_QUESTION)
        return bool(link.recv(1))


def _problem(missing: Sequence[Target], reached: Sequence[Target]) -> str:
    if missing:
        return f"the pod does not reach {_shown(missing)}, which its NetworkPolicy allows"
    if not reached:
        return "the isolation was not stable in the time of the probe"
    return (
        f"the pod reaches {_shown(reached)}, which its NetworkPolicy must block: the network "
        "plugin does not enforce NetworkPolicies, or another NetworkPolicy allows it"
    )


def _shown(targets: Sequence[Target]) -> str:
    return ", ".join(
        f"{host}:{port}{' (UDP)' if protocol == 'UDP' else ''}" for host, port, protocol in targets
    )


def _targets(
    environment: Mapping[str, str], name_servers: Path
) -> tuple[list[Target], list[Target]]:
    blocked = _parsed(environment.get(MUST_FAIL, ""))
    api_server = environment.get("KUBERNETES_SERVICE_HOST")  # set by the kubelet
    if api_server:
        port = int(environment.get("KUBERNETES_SERVICE_PORT", "443"))
        blocked.append(Target(api_server, port))
    if NO_DNS in environment:
        for line in _lines(name_servers):
            word, _, server = line.partition(" ")
            if word == "nameserver":
                host = server.strip()
                blocked += [Target(host, _DNS_PORT), Target(host, _DNS_PORT, "UDP")]
    return blocked, _parsed(environment.get(MUST_REACH, ""))


def _parsed(text: str) -> list[Target]:
    parts = [one.rpartition(":") for one in text.split(",") if one]
    return [Target(host.strip("[]"), int(port)) for host, _, port in parts]


if __name__ == "__main__":
    sys.exit(main())
