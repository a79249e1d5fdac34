"""The words of our messages: a change of one is a change of messages.txt."""

from tests.golden.messages import FILE, rendered


def test_messages_are_those_of_the_file() -> None:
    written = FILE.read_text(encoding="utf-8")
    assert rendered() == written, "run `python -m tests.golden.messages` and review the difference"
