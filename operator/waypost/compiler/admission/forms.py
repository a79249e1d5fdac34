"""What the patterns of the CRDs stand for: nobody wants to read a pattern."""

from collections.abc import Mapping
from typing import Final

from waypost.api.pod import QUANTITY_PATTERN

_NAME: Final = "a name of lower case letters, digits and -"
_PATH: Final = "an absolute path such as /work/repo, of letters, digits, ., _ and -"
FORMS: Final[Mapping[str, str]] = {
    QUANTITY_PATTERN: "a quantity such as 500m, 2, 1G or 1Gi",
    r"^([0-9]{1,5}(h|m|s|ms)){1,4}$": "a duration such as 90s, 10m or 1h30m",
    r"^[0-9]{1,6}(\.[0-9]{1,9})?$": 'an amount in US dollars as text, such as "2.50"',
    r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$": f"{_NAME} that begins with a letter",
    r"^[a-z]([a-z0-9_]{0,38}[a-z0-9])?$": (
        "a name of up to 40 lower case letters, digits and _ that begins with a letter"
    ),
    r"^[a-z]([a-z0-9_]{0,38}[a-z0-9])?(/(0|[1-9][0-9]{0,2}))?$": (
        "the name of a node such as scan, or of one item such as scan/3"
    ),
    r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$": (
        "the name of an object, of lower case letters, digits, - and ."
    ),
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": _NAME,
    r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$": f"{_NAME}, with up to 40 characters",
    r"^[a-z0-9]([-a-z0-9]{0,62}[a-z0-9])?$": (
        "the name of a header in lower case letters, such as x-request-id"
    ),
    r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$": (
        "a module and a function, such as reports.monthly:run"
    ),
    r"^[A-Za-z_][A-Za-z0-9_]*$": "a name of letters, digits and _ that begins with no digit",
    r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$": "a module such as reports.monthly",
    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$": "the name of a header, such as X-Request-Id",
    r"^[-._a-zA-Z0-9]+$": "a key of a Secret or ConfigMap, of letters, digits, -, _ and .",
    r"^[A-Za-z0-9]([A-Za-z0-9._/:-]{0,126}[A-Za-z0-9])?$": (
        "the name of an event, such as order.paid, of letters, digits, ., _, /, : and -"
    ),
    r"^(/[A-Za-z0-9._-]+)+$": _PATH,
    r"^https://[^/?#@\s]+(/[^?#\s]*)?$": (
        "an https:// address without user, query and fragment, such as https://issuer.example.com"
    ),
    r"^https?://[^/?#@\s]+(/[^?#\s]*)?$": (
        "an http:// or https:// address without user, query and fragment"
    ),
    r"^(\*|[A-Za-z0-9]([-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?)$": (
        "* or a name of letters, digits, -, _ and ."
    ),
    r"^[!#-\[\]-~]+$": 'a scope of OAuth: characters of ASCII without spaces, " and \\',
}
