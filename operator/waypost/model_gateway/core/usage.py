"""How many tokens a call uses: an estimate before, and what the provider reports after."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from waypost.api.provider import ProviderType
from waypost.protocol.artifacts.media import media_tokens

_BYTES_PER_TOKEN: Final = 3  # below that of usual texts, so that the estimate is rather too high
_USUAL_OUTPUT: Final = 1024  # tokens, where the call names no limit
_OVERLAP: Final = 64
_LARGEST: Final = 10**9
# Fields of reported usage: those of input, of output, and of both together.
_NAMES: Final[Mapping[ProviderType, tuple[frozenset[bytes], frozenset[bytes], bytes]]] = {
    "OpenAI": (
        frozenset({b"prompt_tokens"}),
        frozenset({b"completion_tokens"}),
        b"total_tokens",
    ),
    "Anthropic": (
        frozenset({b"input_tokens", b"cache_creation_input_tokens", b"cache_read_input_tokens"}),
        frozenset({b"output_tokens"}),
        b"",
    ),
    "Google": (
        frozenset({b"promptTokenCount"}),
        frozenset({b"candidatesTokenCount", b"thoughtsTokenCount"}),
        b"totalTokenCount",
    ),
}
# Names that gateways and servers write for them, in small letters without separators. The agent
# knows the same (waypost_agent.provider.reported_usage), and a few words that are too common to be
# looked for in the whole text of an answer, such as "input".
ASKED: Final = (
    *(b"prompttokens", b"inputtokens", b"prompttokencount", b"prompttoken", b"inputtokencount"),
    *(b"promptevalcount", b"inputtoken", b"tokensin", b"numprompttokens", b"numinputtokens"),
)
ANSWERED: Final = (
    *(b"completiontokens", b"outputtokens", b"evalcount", b"candidatestokencount"),
    *(b"outputtokencount", b"generatedtokens", b"generationtokens", b"completiontoken"),
    *(b"outputtoken", b"tokensout", b"numcompletiontokens", b"numoutputtokens"),
)
ALL: Final = (b"totaltokens", b"totaltokencount", b"totaltoken", b"tokenstotal")
_CANONICAL: Final[Mapping[ProviderType, tuple[bytes, bytes]]] = {
    "OpenAI": (b"prompt_tokens", b"completion_tokens"),
    "Anthropic": (b"input_tokens", b"output_tokens"),
    "Google": (b"promptTokenCount", b"candidatesTokenCount"),
}
# Fields with the media type and with the content of media; without the first, the content is a URL.
_MEDIA_FIELDS: Final = (
    ("", "url"),  # OpenAI: image_url
    ("", "file_data"),  # OpenAI: file
    ("media_type", "data"),  # Anthropic: source
    ("mimeType", "data"),  # Google: inlineData
    ("mime_type", "data"),
)
_FIELD: Final = re.compile(rb'"([A-Za-z_ -]{8,30})"\s*:\s*"?(\d{1,9})(?:\.0+)?(?=[^\d.])')


class Estimate(NamedTuple):
    """Tokens that a call may use: those of its text and media, and those of the longest answer.
    `most` is more than any provider counts for the input."""

    input: int
    output: int
    most: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.input + self.output


def estimate(body: bytes, fields: Mapping[str, Any]) -> Estimate:
    """Estimate the tokens of a call."""
    config = fields.get("generationConfig")
    places = [fields.get("max_tokens"), fields.get("max_completion_tokens")]
    places.append(config.get("maxOutputTokens") if isinstance(config, dict) else None)
    limits = [one for one in places if type(one) is int and one > 0]
    hidden, counted = _media(fields)
    return Estimate(
        max(len(body) - hidden, 0) // _BYTES_PER_TOKEN + counted,
        min([*limits, _LARGEST] if limits else [_USUAL_OUTPUT]),
        len(body) // _BYTES_PER_TOKEN + counted,
    )


def _media(fields: Mapping[str, Any]) -> tuple[int, int]:
    """The characters of media in base64, and the tokens that they may cost instead."""
    hidden, counted = 0, 0
    left: list[Any] = [fields.get("messages"), fields.get("contents")]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            media = _media_of(one)
            if media is None:
                left += one.values()
                continue
            kind, text = media
            hidden += len(text)
            counted += media_tokens(kind, len(text) * 3 // 4)
    return hidden, counted


def _media_of(part: dict[str, Any]) -> tuple[str, str] | None:
    """Media type and content of a part that has media in the form of one of the providers."""
    for kind, data in _MEDIA_FIELDS:
        text = part.get(data)
        if isinstance(text, str) and text.startswith("data:"):
            return text[5:40].partition(";")[0], text
        if kind and isinstance(text, str) and isinstance(part.get(kind), str):
            return part[kind], text
    return None


class UsageScanner:
    """Finds the reported usage in an answer while it passes, streamed or not.

    Of several reports the highest counts. Text of the model cannot be mistaken for a report: quotes
    in it are escaped. Arguments of a tool call can, and then the run that made the call pays
    for it; so the result is never more than the estimate and the bytes of the answer together.
    """

    def __init__(self, type_: ProviderType, estimate: Estimate) -> None:
        self._input, self._output, self._total = _NAMES[type_]
        asked, answered = _CANONICAL[type_]
        self._names = {
            **dict.fromkeys(ASKED, asked),
            **dict.fromkeys(ANSWERED, answered),
            **dict.fromkeys(ALL, self._total),
            **{_plain(name): name for name in (*self._input, *self._output)},
        }
        self._estimate = estimate
        self._size = 0
        self._rest = b""
        self._found: dict[bytes, int] = {}

    def feed(self, piece: bytes) -> None:
        """The next piece of the answer."""
        self._size += len(piece)
        text = self._rest + piece
        for match in _FIELD.finditer(text):
            name = self._names.get(_plain(match[1]))
            if name:
                self._found[name] = max(self._found.get(name, 0), int(match[2]))
        self._rest = text[-_OVERLAP:]

    @property
    def tokens(self) -> int:
        """The tokens that the provider reported; what it did not report, or reported as 0, is
        estimated by the size of the call and of the answer."""
        asked, answered = (self._sum(names) for names in (self._input, self._output))
        total = self._found.get(self._total, 0)
        if not total:
            asked = asked or self._estimate.input
            answered = answered or self._size // _BYTES_PER_TOKEN
        most = self._estimate.most + self._estimate.output + self._size
        return min(max(asked + answered, total), most)

    def _sum(self, names: frozenset[bytes]) -> int:
        return sum(self._found.get(name, 0) for name in names)


def _plain(name: bytes) -> bytes:
    """Small letters without separators: prompt_tokens, promptTokens and Prompt-Tokens are one."""
    return re.sub(rb"[-_ ]", b"", name).lower()
