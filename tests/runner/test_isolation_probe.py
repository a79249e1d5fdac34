"""S387: the probe lets the program start only once what must be blocked is blocked."""

from collections.abc import Callable

import pytest
from waypost_node.isolation_probe import Target, _targets, wait_for_isolation

API = ("10.96.0.1", 443)
CANARY = ("10.96.0.7", 8081)
GATEWAY = ("10.96.0.7", 8080)


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


def test_targets_come_from_the_environment_and_the_kubelet() -> None:
    environment = {
        "WAYPOST_MUST_FAIL": "169.254.169.254:80,[fd00::7]:8081",
        "WAYPOST_MUST_REACH": "10.96.0.7:8080",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
    }
    blocked, needed = _targets(environment)
    assert blocked == [("169.254.169.254", 80), ("fd00::7", 8081), API]
    assert needed == [GATEWAY]
