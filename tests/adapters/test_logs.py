"""Log lines as a collector and as a person read them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from waypost.adapters.logs import Format, configure_logging


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def logged(style: Format, level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level=level, style=style, stream=stream)
    return stream


def test_json_lines() -> None:
    stream = logged("json")
    extra = {"run": "r", "namespace": "n", "node": "a", "attempt": 2, "secret": "x"}
    logging.getLogger("waypost.test").info("line one\nline %s", "two", extra=extra)
    (line,) = stream.getvalue().splitlines()
    reported = json.loads(line)
    assert reported.pop("ts").endswith("+00:00")
    assert reported == {
        "level": "info",
        "logger": "waypost.test",
        "message": "line one\nline two",
        "run": "r",
        "namespace": "n",
        "node": "a",
        "attempt": 2,
    }


def test_json_tells_errors_in_the_same_line() -> None:
    stream = logged("json")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("failed", extra={"run": object()})
    (line,) = stream.getvalue().splitlines()
    assert "ValueError: broken" in json.loads(line)["error"]


def test_text_cannot_be_forged_by_data() -> None:
    stream = logged("text")
    message = "output was: x\n12:00:00.000 INFO approved by root"
    logging.getLogger("x").warning(message, extra={"run": "r"})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("approved by root  run=r")
    assert "WARNING" in line


@pytest.mark.parametrize(
    ("name", "level", "shown"),
    [
        pytest.param("waypost.runtime", logging.INFO, True, id="ours"),
        pytest.param("kopf._core.reactor.running", logging.INFO, False, id="kopf-at-work"),
        pytest.param("kopf._core.reactor.running", logging.ERROR, True, id="kopf-in-trouble"),
        pytest.param("kopf.objects", logging.WARNING, False, id="kopf-per-object"),
        pytest.param("aiohttp.access", logging.INFO, False, id="each-probe"),
    ],
)
def test_who_is_heard(name: str, level: int, shown: bool) -> None:
    stream = logged("json", level="DEBUG")
    logging.getLogger(name).log(level, "x")
    assert bool(stream.getvalue()) is shown


def test_level() -> None:
    stream = logged("json", level="ERROR")
    logging.getLogger("waypost").warning("x")
    logging.getLogger("kopf.x").warning("x")
    assert stream.getvalue() == ""
