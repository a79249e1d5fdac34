"""Archived runs as a Parquet file: one row a run, with columns for what people sum up and filter
by, and the whole document as JSON."""

import importlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from waypost.api.meta import Condition
from waypost.cli.errors import CommandError, Exit
from waypost.kube.objects import items, moment, section, text
from waypost.ports.cluster import Obj

_GROUP_ROWS: Final = 1000
_GROUP_BYTES: Final = 64 * 1024 * 1024  # of documents that are held in memory
_COUNTS: Final = {
    "model_calls": "modelCalls",
    "tool_calls": "toolCalls",
    "input_tokens": "inputTokens",
    "cached_tokens": "cachedTokens",
    "output_tokens": "outputTokens",
}


def arrow() -> Any:
    """The library. Raises CommandError if it is not installed."""
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        text_ = (
            f"--format parquet needs pyarrow ({error}); install waypost[parquet], for example "
            "`uv tool install 'waypost[parquet]'`, or use --format jsonl"
        )
        raise CommandError(text_, code=Exit.USAGE) from error


async def write(lines: AsyncIterator[str], file: Path) -> int:
    """Write documents into a Parquet file, and return how many. The file appears when all of them
    are in it.

    Args:
        lines: The documents as JSON.
        file: It is replaced if it exists.

    Raises:
        CommandError: The file cannot be written, or pyarrow is not installed.
    """
    pa = arrow()
    schema, count, size = _schema(pa), 0, 0
    rows: list[Obj] = []
    with _opened(pa, schema, file) as writer:
        async for line in lines:
            rows.append(row(json.loads(line), line))
            count, size = count + 1, size + len(line)
            if len(rows) >= _GROUP_ROWS or size >= _GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows, size = [], 0
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    return count


@contextmanager
def _opened(pa: Any, schema: Any, file: Path) -> Iterator[Any]:
    part = file.with_name(f"{file.name}.part")
    try:
        with pa.parquet.ParquetWriter(str(part), schema, compression="zstd") as writer:
            yield writer
        part.replace(file)
    except OSError as error:
        raise CommandError(f"--file {file}: {error}", code=Exit.USAGE) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _schema(pa: Any) -> Any:
    time = pa.timestamp("ms", tz="UTC")
    return pa.schema(
        [
            ("namespace", pa.string()),
            ("name", pa.string()),
            ("uid", pa.string()),
            ("template", pa.string()),
            ("phase", pa.string()),
            ("reason", pa.string()),
            ("message", pa.string()),
            ("round", pa.int32()),
            ("labels", pa.map_(pa.string(), pa.string())),
            ("created_at", time),
            ("started_at", time),
            ("finished_at", time),
            *((name, pa.int64()) for name in _COUNTS),
            ("cost_usd", pa.decimal128(18, 9)),
            ("document", pa.string()),
        ]
    )


def row(document: Obj, line: str) -> Obj:
    """The row of a document. What it does not have, or has in another form, is null."""
    run = section(document, "run")
    metadata, status = section(run, "metadata"), section(run, "status")
    usage = section(status, "usage")
    conditions = {text(one, "type"): one for one in items(status, "conditions")}
    verdict = conditions.get(Condition.SUCCEEDED, {})
    counts = {name: usage.get(field) for name, field in _COUNTS.items()}
    round_ = status.get("round")
    return {
        "namespace": text(metadata, "namespace"),
        "name": text(metadata, "name"),
        "uid": text(metadata, "uid"),
        "template": text(section(run, "spec", "templateRef"), "name") or None,
        "phase": text(status, "phase") or None,
        "reason": text(verdict, "reason") or None,
        "message": text(verdict, "message") or None,
        "round": round_ if type(round_) is int else 1,
        "labels": [(key, str(value)) for key, value in section(metadata, "labels").items()],
        "created_at": moment(metadata, "creationTimestamp"),
        "started_at": moment(status, "startedAt"),
        "finished_at": moment(status, "finishedAt"),
        **{name: value if type(value) is int else None for name, value in counts.items()},
        "cost_usd": _dollars(usage.get("costUSD")),
        "document": line,
    }


def _dollars(value: Any) -> Decimal | None:
    try:
        found = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        return None
    if found is None or not found.is_finite() or not 0 <= found < 10**9:
        return None
    return found.quantize(Decimal("1e-9"))
