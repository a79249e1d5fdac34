"""Each command in a block of the documents is one that there is, with options that it has.

e2e/suite/test_tutorial.py runs those of the tutorial, with what they print. Most others need what a
reader has: a run with a name, a question, a source.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from typer.main import get_command
from waypost.cli.app import app

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    ROOT / "charts/waypost/README.md",
)
# Commands of others, of which nothing is known here.
FOREIGN: Final = frozenset({"cosign", "curl", "export", "git", "pipx", "sed", "uv", "cd", "cat"})
_BLOCK: Final = re.compile(r"^```(?:console|sh|bash|shell)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NEXT: Final = frozenset({"|", ";", "&", "&&", "||"})
_BUILT_IN: Final = frozenset(
    {"configmap", "deployment", "events", "jobs", "lease", "leases", "pods", "pod", "secret"}
)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Where a command stands, and its words."""
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text(encoding="utf-8")):
            text = block.replace("\\\n", " ")
            for line in re.findall(r"^\$ (.*)$", text, re.MULTILINE):
                for words in parts(line):
                    yield f"{page.name}: {line[:100]}", words


def parts(line: str) -> Iterator[list[str]]:
    """The commands of a line, without redirections and assignments."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    aside = False
    for word in [*lexer, ";"]:
        if word in _NEXT:
            if words and not re.match(r"\w+=", words[0]):
                yield words
            words = []
        elif word in (">", "<"):
            aside = True
        elif aside:
            aside = False
        else:
            words.append(word)


def waypost(words: list[str]) -> None:
    """Parses the arguments, and calls nothing."""
    found: Any = get_command(app)
    above, name = None, "waypost"
    while hasattr(found, "resolve_command"):
        context = found.context_class(found, parent=above, info_name=name)
        if not words or found.get_command(context, words[0]) is None:
            break
        name, found, words = found.resolve_command(context, words)
        above = context
    assert above is not None, f"waypost has no command {words[:1]}"
    unknown = hasattr(found, "resolve_command") and words and not words[0].startswith("-")
    assert not unknown, f"waypost {name} has no command {words[:1]}"
    found.make_context(name, list(words), parent=above)


def make(words: list[str]) -> None:
    known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word for word in words if "=" not in word} <= known


def python(words: list[str]) -> None:
    assert words[0] == "-m"
    assert find_spec(words[1]) is not None, f"there is no module {words[1]}"


def kubectl(words: list[str]) -> None:
    given = [word for word in words if not word.startswith("-")]
    for place, word in enumerate(words):
        if word == "-f" and words[place + 1].startswith(("examples/", "crds", "charts/")):
            assert (ROOT / words[place + 1]).exists(), f"{words[place + 1]} does not exist"
    for verb in ("get", "patch", "describe", "annotate", "wait", "delete"):
        if verb in given and "-f" not in words:
            named = given[given.index(verb) + 1]
            kinds = {kind.partition("/")[0] for kind in named.split(",")}
            assert kinds <= names(), f"{kinds - names()}: the API server has no such kind"


@cache
def names() -> frozenset[str]:
    """How kubectl calls kinds."""
    found = set(_BUILT_IN)
    for path in (ROOT / "crds").glob("*.yaml"):
        block = re.search(r"^  names:\n((?:    .*\n)+)", path.read_text(), re.MULTILINE)
        assert block is not None
        called = yaml.safe_load(block[1])
        found |= {called["plural"], called["singular"], *called.get("shortNames", ())}
    return frozenset(found)


def helm(words: list[str]) -> None:
    values = chart_values()
    for place, word in enumerate(words):
        if word == "--set":
            setting = words[place + 1].partition("=")[0]
            assert has(values, setting), f"the chart has no value {setting}"


@cache
def chart_values() -> Any:
    return yaml.safe_load((ROOT / "charts/waypost/values.yaml").read_text())


def has(values: Any, setting: str) -> bool:
    for key in re.split(r"\.|\[\d+\]", setting):
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return True


JUDGES: Final[Mapping[str, Callable[[list[str]], None]]] = {
    "waypost": waypost,
    "make": make,
    "python": python,
    "kubectl": kubectl,
    "helm": helm,
}


def wrong() -> Iterator[str]:
    for where, (program, *words) in commands():
        try:
            if program not in FOREIGN:
                JUDGES[program](words)
        except Exception as error:  # noqa: BLE001 -- typer does not export its own
            yield f"{where}: {getattr(error, 'format_message', error.__repr__)()}"


def test_each_command_of_a_block_is_one_that_there_is() -> None:
    found = list(commands())
    assert len(found) > 120
    assert list(wrong()) == []


@pytest.mark.parametrize(
    ("line", "judge"),
    [
        ("waypost lst", waypost),
        ("waypost list --phse Failed", waypost),
        ("waypost memory reviews x", waypost),
        ("make everything", make),
        ("python -m e2e.nothing", python),
        ("kubectl get workflows", kubectl),
        ("kubectl apply -f examples/none.yaml", kubectl),
        ("helm upgrade w c --set ui.enable=true", helm),
    ],
)
def test_it_would_find_a_mistake(line: str, judge: Callable[[list[str]], None]) -> None:
    with pytest.raises(Exception, match=r"(?i)no|does not|is none|<="):
        judge(line.split()[1:])
