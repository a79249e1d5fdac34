"""What makes the Job of an attempt one that a queue admits (S551)."""

from waypost.api import meta
from waypost.api.base import JsonObject


def add_queue(job: JsonObject, queue: str) -> None:
    """Let a LocalQueue of Kueue admit a Job; "" for none.

    The Job is created suspended, as Kueue's own webhook would do: without that webhook it would
    start before it is admitted.
    """
    if not queue:
        return
    job["metadata"] = {
        **job["metadata"],
        "labels": {**job["metadata"]["labels"], meta.LABEL_QUEUE: queue},
    }
    job["spec"]["suspend"] = True
    pod = job["spec"]["template"]["metadata"]
    pod["annotations"] = {**pod["annotations"], meta.ANNOTATION_QUEUE: queue}
