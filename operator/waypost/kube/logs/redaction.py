"""Replaces texts that look like secrets in a log.

A help, no guarantee: the operator does not read Secrets, so it only recognizes forms. Every
pattern takes time linear in the text: where it may begin, the character before is not one of them,
or the length is bounded.
"""

import re
from typing import Final

MARK: Final = "[redacted]"
_KEY: Final = r"(?<![A-Za-z0-9_-])"

_WHOLE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        _KEY + r"(?:sk|rk|pk)[-_][A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, Stripe
        _KEY + r"(?:gh[pousr]|github_pat|glpat|hf|npm)[_-][A-Za-z0-9_-]{16,}",
        _KEY + r"xox[a-z]-[A-Za-z0-9-]{10,}",  # Slack
        _KEY + r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])",  # AWS
        _KEY + r"AIza[A-Za-z0-9_-]{30,}",  # Google
        _KEY + r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JWT
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s]{1,8192}",
    )
)
# What a name announces: `password=...`, `"api_key": "..."`, `Authorization: Bearer ...`.
_NAMED: Final = re.compile(
    r"(?i)((?:password|passwd|secret|token|api[_-]?key|access[_-]?key|authorization)"
    r"""["']?[ ]{0,2}[:=][ ]{0,2}["']?(?:(?:bearer|basic)[ ]{1,2})?)([^\s"',;&]{6,})"""
)
_BEARER: Final = re.compile(r"(?i)(\bbearer[ ]{1,2})([A-Za-z0-9._~+/=-]{12,})")


def redacted(text: str) -> str:
    """The text with MARK in place of what looks like a secret."""
    for pattern in _WHOLE:
        text = pattern.sub(MARK, text)
    text = _NAMED.sub(rf"\1{MARK}", text)
    return _BEARER.sub(rf"\1{MARK}", text)
