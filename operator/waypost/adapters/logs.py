"""Logs: one JSON object per line for collectors, aligned text for terminals."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

Format = Literal["json", "text"]

# Fields of a record about its subject: `logger.info("...", extra={"run": name, ...})`.
SUBJECT_FIELDS: Final = ("run", "namespace", "node", "attempt")

# kopf logs per object and handler, aiohttp per request: that would hide our own lines.
_QUIET: Final = {
    "kopf": logging.WARNING,
    "kopf.objects": logging.ERROR,
    "aiohttp.access": logging.WARNING,
    "alembic": logging.WARNING,
    "asyncio": logging.WARNING,
    "kubernetes": logging.WARNING,
    "opentelemetry": logging.ERROR,
    "urllib3": logging.ERROR,
}


class JsonFormatter(logging.Formatter):
    """Objects with `ts`, `level`, `logger`, `message`, and where given the subject and `error`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update(_subject(record))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """`12:00:01.123 INFO    message  run=x node=y`, then the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        # Messages quote users' data: a line break in it must not look like another record.
        message = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        subject = "".join(f" {key}={value}" for key, value in _subject(record).items())
        line = f"{clock} {record.levelname:<7} {message}{' ' + subject if subject else ''}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logging(*, level: str, style: Format, stream: TextIO | None = None) -> None:
    """Replace the handlers of the root logger. Logs go to stderr by default."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, root.level))


def _subject(record: logging.LogRecord) -> dict[str, object]:
    values = {key: getattr(record, key, None) for key in SUBJECT_FIELDS}
    return {key: value for key, value in values.items() if value is not None}
