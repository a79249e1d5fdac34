"""S387: the probe lets the program start only once what must be blocked is blocked."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from waypost.protocol.isolation import REPORT_PATIENCE, Measured, parse_measured
from waypost_node import isolation_probe
from waypost_node.isolation_probe import Target, _targets, measured, wait_for_isolation

API = Target("10.96.0.1", 443)
CANARY = Target("10.96.0.7", 8081)
GATEWAY = Target("10.96.0.7", 8080)


class Network:
    """Time that passes with each sleep, and what is open at a time."""

    def __init__(self, opened: Callable[[Target, float], bool]) -> None:
        self.now = 100.0
        self.looks: list[tuple[Target, float]] = []
        self._open = opened

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def connects(self, target: Target) -> bool:
        self.looks.append((target, self.now))
        return self._open(target, self.now - 100.0)

    def waits(self, *needed: Target) -> str:
        return wait_for_isolation(
            [API, CANARY],
            needed,
            connects=self.connects,
            clock=lambda: self.now,
            sleep=self.sleep,
        )


@pytest.mark.parametrize(
    ("opened", "needed", "words"),
    [
        pytest.param(lambda target, at: False, (), "", id="enforced-from-the-beginning"),
        pytest.param(lambda target, at: at < 0.7, (), "", id="enforced-later"),
        pytest.param(lambda target, at: True, (), "reaches 10.96.0.1:443", id="not-enforced"),
        pytest.param(
            lambda target, at: target == CANARY, (), "reaches 10.96.0.7:8081", id="one-is-open"
        ),
        pytest.param(lambda target, at: target == GATEWAY, (GATEWAY,), "", id="gateway-reached"),
        pytest.param(
            lambda target, at: False,
            (GATEWAY,),
            "does not reach 10.96.0.7:8080",
            id="nothing-works-at-all",
        ),
        pytest.param(
            lambda target, at: target == GATEWAY and at > 2,
            (GATEWAY,),
            "",
            id="gateway-reached-later",
        ),
    ],
)
def test_s387_verdict(
    opened: Callable[[Target, float], bool], needed: tuple[Target, ...], words: str
) -> None:
    problem = Network(opened).waits(*needed)
    assert words in problem
    assert bool(problem) == bool(words)


def test_s387_a_single_failure_is_not_enough() -> None:
    """A connection may fail for another reason."""
    failed_once = iter([False, False])

    def opened(target: Target, at: float) -> bool:
        return next(failed_once, True)

    assert "reaches" in Network(opened).waits()


def test_s387_two_looks_after_enforcement() -> None:
    network = Network(lambda target, at: at < 0.3)
    assert network.waits() == ""
    after = sorted({at for target, at in network.looks if at - 100.0 >= 0.3})
    assert len(after) == 2
    assert after[1] - after[0] == pytest.approx(0.2)


ENVIRONMENT = {
    "WAYPOST_MUST_FAIL": "169.254.169.254:80,[fd00::7]:8081",
    "WAYPOST_MUST_REACH": "10.96.0.7:8080",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
}
SETTINGS = """# made by the kubelet
search demo.svc.cluster.local svc.cluster.local
nameserver 10.96.0.10
nameserver fd00::10
options ndots:5
"""


@pytest.mark.parametrize(
    ("no_dns", "settings", "servers"),
    [
        pytest.param({}, SETTINGS, (), id="may-ask"),
        pytest.param({"WAYPOST_NO_DNS": "true"}, SETTINGS, ("10.96.0.10", "fd00::10"), id="none"),
        pytest.param({"WAYPOST_NO_DNS": "true"}, None, (), id="no-file"),
        pytest.param({"WAYPOST_NO_DNS": "true"}, "options ndots:5\n", (), id="no-server"),
    ],
)
def test_s387_targets_come_from_the_environment_and_the_kubelet(
    tmp_path: Path, no_dns: dict[str, str], settings: str | None, servers: tuple[str, ...]
) -> None:
    file = tmp_path / "resolv.conf"
    if settings is not None:
        file.write_text(settings)
    blocked, needed = _targets({**ENVIRONMENT, **no_dns}, file)
    asked = [target for host in servers for target in (Target(host, 53), Target(host, 53, "UDP"))]
    assert blocked == [Target("169.254.169.254", 80), Target("fd00::7", 8081), API, *asked]
    assert needed == [GATEWAY]


@pytest.mark.parametrize("answer", [b"\x57\x50\x81\x05", b""], ids=["refused", "silent"])
def test_s387_a_name_server_is_reached_if_it_answers(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    """Whatever the answer is, the question has left the pod."""
    monkeypatch.setattr(isolation_probe, "_CONNECT", 0.3)
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            question, sender = server.recvfrom(512)
            asked.append(question)
            if answer:
                server.sendto(answer, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        target = Target("127.0.0.1", server.getsockname()[1], "UDP")
        assert isolation_probe._connects(target) == bool(answer)
        thread.join()
    assert asked[0][2:] == bytes.fromhex("0100 0001 0000 0000 0000 00 0002 0001")


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_s387_nothing_listens(protocol: Literal["TCP", "UDP"]) -> None:
    """The port is taken, so that no other program can answer."""
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "UDP":
            taken.connect(("127.0.0.1", 9))  # takes nothing from others now
        host, port = taken.getsockname()
        assert not isolation_probe._connects(Target(host, port, protocol))


def test_s387_the_message_names_the_protocol() -> None:
    server = Target("10.96.0.10", 53, "UDP")
    problem = wait_for_isolation([server], (), patience=0, connects=lambda target: True)
    assert problem.startswith("the pod reaches 10.96.0.10:53 (UDP), which its NetworkPolicy")


CONFINED = """Name:\tpython3
Uid:\t65532\t65532\t65532\t65532
CapEff:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
"""


@pytest.mark.parametrize(
    ("status", "users", "held", "missing"),
    [
        pytest.param(
            CONFINED,
            "         0 2000000000      65536\n",
            "Egress Seccomp Restricted UserNamespace",
            "",
            id="all",
        ),
        pytest.param(
            CONFINED.replace("Seccomp:\t2", "Seccomp:\t0"),
            "         0          0 4294967295\n",
            "Egress Restricted",
            "Seccomp UserNamespace",
            id="no-filter-and-users-of-the-machine",
        ),
        pytest.param(CONFINED.replace("65532", "0"), "", "Egress Seccomp", "Restricted", id="root"),
        pytest.param(
            CONFINED.replace("CapEff:\t0", "CapEff:\t8"),
            "",
            "Egress Seccomp",
            "Restricted",
            id="a-capability",
        ),
        pytest.param(
            CONFINED.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
            "",
            "Egress Seccomp",
            "Restricted",
            id="may-gain-privileges",
        ),
        pytest.param("Name:\tpython3\n", "", "Egress", "", id="a-kernel-that-says-nothing"),
    ],
)
def test_s626_what_the_kernel_says(
    tmp_path: Path, status: str, users: str, held: str, missing: str
) -> None:
    (tmp_path / "status").write_text(status)
    if users:
        (tmp_path / "uid_map").write_text(users)
    assert measured("", tmp_path) == Measured(tuple(held.split()), tuple(missing.split()))


def test_s627_an_open_network_is_missing_egress(tmp_path: Path) -> None:
    assert measured("the pod reaches 10.96.0.1:443", tmp_path) == Measured(
        (), ("Egress",), "the pod reaches 10.96.0.1:443"
    )


@pytest.mark.parametrize(
    ("report", "problem", "code", "verdict"),
    [
        pytest.param(False, "", 0, "held", id="required-and-held"),
        pytest.param(False, "reached", 1, "", id="required-and-open"),
        pytest.param(True, "", 0, "held", id="report-and-held"),
        pytest.param(True, "reached", 0, "missing", id="report-and-open"),
    ],
)
def test_s627_exit_code_and_message(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    report: bool,
    problem: str,
    code: int,
    verdict: str,
) -> None:
    """Only a probe that reports lets the program start although egress does not hold."""
    patiences: list[float] = []

    def waits(blocked: object, needed: object, *, patience: float) -> str:
        patiences.append(patience)
        return problem

    monkeypatch.setattr(isolation_probe, "wait_for_isolation", waits)
    monkeypatch.setenv("WAYPOST_MESSAGE", str(tmp_path / "message"))
    if report:
        monkeypatch.setenv("WAYPOST_REPORT", "true")
    assert isolation_probe.main() == code
    said = (tmp_path / "message").read_text()
    found = parse_measured(said)
    assert ("Egress" in found.held, "Egress" in found.missing) == (
        verdict == "held",
        verdict == "missing",
    )
    assert found.problem == (problem if verdict else "")
    assert verdict or said == problem
    assert patiences == [REPORT_PATIENCE if report else 30.0]


@pytest.mark.parametrize(
    "message",
    ["", "oops", "[]", "3", "null", '{"held": "Egress"}', '{"held": [1, {}]}', "[" * 4000],
)
def test_s626_a_message_that_is_none_of_a_probe(message: str) -> None:
    assert parse_measured(message) == Measured()


def test_s626_the_longest_message_fits() -> None:
    """The kubelet keeps 4096 bytes of all containers of a pod."""
    found = Measured(("Egress", "Seccomp"), ("Restricted", "UserNamespace"), "\u20ac" * 5000)
    text = found.to_text()
    assert len(text.encode()) < 2048
    assert parse_measured(text).problem == "\u20ac" * 300
