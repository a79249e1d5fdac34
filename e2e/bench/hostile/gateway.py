"""`python -m e2e.bench.hostile.gateway NAME`: one value in the gateway's validator; prints JSON.

What an upload does after its body has arrived: it is parsed, checked, compared with its digest and
validated in the gateway's thread, beside the event loop that serves the other uploads.
"""

import asyncio
import json
import sys
import time
from typing import Any

from waypost.adapters import collector
from waypost.adapters.evaluation import pool
from waypost.adapters.evaluation.pool import ChildProcess
from waypost.gateway.authentication import Caller
from waypost.gateway.main import LIMITS
from waypost.gateway.output_validation import OutputValidator
from waypost.gateway.refusals import Refused
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson

from e2e.bench.hostile.inputs import INPUTS, Hostile
from e2e.bench.hostile.watchdog import Watchdog, peak, reset_peak


async def measure(hostile: Hostile) -> dict[str, Any]:
    """Judge an upload of the value, large enough for the gateway to validate it."""
    body = ijson.canonical(hostile.value)
    digest = ijson.digest(hostile.value)
    harmless = ijson.canonical("x" * 1_100_000)
    validator, child = OutputValidator(), ChildProcess(LIMITS)
    pool.use(child)
    collector.begin()
    await validator.work(_judged, validator, hostile, harmless, ijson.digest(json.loads(harmless)))
    before, started = reset_peak(), time.perf_counter()
    async with Watchdog() as watchdog:
        end = await validator.work(_judged, validator, hostile, body, digest)
        taken = time.perf_counter() - started
    pool.use(None)
    child.close()
    return {
        "seconds": round(taken, 2),
        "stallMs": round(watchdog.stall * 1000),
        "heldMs": round(watchdog.held * 1000),
        "grownMiB": round((peak() - before) / 2**20),
        "uploadMiB": round(len(body) / 2**20, 1),
        "end": end[:200],
    }


def _judged(validator: OutputValidator, hostile: Hostile, body: bytes, digest: str) -> str:
    run = {"spec": hostile.spec}
    ref = AttemptRef("hostile", "uid", "a", 1, 1)
    caller = Caller(pod=None, ref=ref, run=run, journal=None)  # type: ignore[arg-type]  # not read
    try:
        validator.judged(caller, "Result", body, digest=digest, definition=hostile.spec)
    except (Refused, ValueError) as refused:
        return f"{type(refused).__name__}: {refused}"
    return "accepted"


if __name__ == "__main__":
    wanted = next(one for one in INPUTS if one.name == sys.argv[1])
    print(json.dumps(asyncio.run(measure(wanted))))
