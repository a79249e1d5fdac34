"""Elements of HTML and SVG. Text of others only gets into a page through here."""

from html import escape
from typing import Final

from waypost.cli.report import format

LONGEST: Final = 4000  # characters of one text


class Markup(str):
    """Text that is markup already. Only this module and constants of the program make it."""

    __slots__ = ()


def text(value: object, *, limit: int = LONGEST) -> Markup:
    """Any text, escaped, without control characters and marks that change its direction."""
    return Markup(escape(format.tame(str(value), limit=limit), quote=True))


def element(tag: str, *children: object, **attributes: object) -> Markup:
    """An element. Children that are no Markup are escaped, and so are all attributes.

    A trailing _ of an attribute is left out (`class_`), other _ become -; None leaves it out.
    """
    shown = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{text(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = "".join(one if isinstance(one, Markup) else text(one) for one in children)
    return Markup(f"<{tag}{shown}>{inner}</{tag}>")


def joined(*parts: object) -> Markup:
    """Several pieces one after the other."""
    return Markup("".join(one if isinstance(one, Markup) else text(one) for one in parts))


def phase(name: str, *, like: str = "") -> Markup:
    """A phase, coloured by its class, or as another one. Unknown ones look like any text."""
    known = name if name.isalpha() and name.isascii() else "other"
    return element("span", name, class_=f"phase {like or known}")


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> Markup:
    """A table; nothing for no rows."""
    if not rows:
        return Markup("")
    cells = (joined(*(element("td", cell) for cell in row)) for row in rows)
    body = joined(*(element("tr", row) for row in cells))
    top = element("tr", joined(*(element("th", title, scope="col") for title in head)))
    whole = element("table", element("thead", top), element("tbody", body))
    return element("div", whole, class_="scroll")
