"""The log of the model server: sums for tests, entries for people."""

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TextIO

from waypost.dev.conversation import Answer, Ask, Json
from waypost.dev.player import Played

_KEPT: Final = 1000
_BODY_LIMIT: Final = 65536


@dataclass
class Sums:
    """Counts of one script."""

    requests: int = 0
    answers: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    tool_calls: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Json]:
        """The counts by name, as in GET /_log."""
        return {
            "requests": self.requests,
            "answers": self.answers,
            "inputTokens": self.input_tokens,
            "cachedTokens": self.cached_tokens,
            "outputTokens": self.output_tokens,
            "statuses": dict(self.statuses),
            "toolCalls": dict(self.tool_calls),
        }


@dataclass
class Journal:
    """The request log. It contains no headers, and so no keys."""

    out: TextIO | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sums: dict[str, Sums] = field(default_factory=dict)
    entries: deque[dict[str, Json]] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def note(self, ask: Ask, played: Played) -> None:
        """Record one request and its result."""
        result = played.result
        status = 200 if isinstance(result, Answer) else result.status
        sums = self.sums.setdefault(played.script, Sums())
        sums.requests += 1
        sums.statuses[str(status)] += 1
        entry: dict[str, Json] = {
            "time": self.now().isoformat(timespec="milliseconds"),
            "script": played.script,
            "turn": played.turn,
            "provider": ask.provider,
            "stream": ask.stream,
            "status": status,
        }
        if isinstance(result, Answer):
            usage = result.usage
            sums.answers += 1
            sums.input_tokens += usage.input
            sums.cached_tokens += usage.cached
            sums.output_tokens += usage.output
            sums.tool_calls.update(call.name for call in result.calls)
            entry |= {
                "inputTokens": usage.input,
                "cachedTokens": usage.cached,
                "outputTokens": usage.output,
                "toolCalls": [call.name for call in result.calls],
            }
        else:
            entry |= {"code": result.code, "error": result.message}
        written = json.dumps(ask.body, ensure_ascii=False)
        entry["request"] = ask.body if len(written) <= _BODY_LIMIT else None
        self.entries.append(entry)
        if self.out is not None:
            self.out.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self.out.flush()

    def to_json(self, *, script: str | None = None) -> dict[str, Json]:
        """Counts by script and the last 1000 requests; of one script only, if named."""
        return {
            "scripts": {
                name: sums.to_json()
                for name, sums in sorted(self.sums.items())
                if script in (None, name)
            },
            "entries": [entry for entry in self.entries if script in (None, entry["script"])],
        }
