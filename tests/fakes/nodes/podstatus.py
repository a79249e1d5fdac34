"""Statuses of a pod as the kubelet and its helpers write them. Each function changes a status."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from waypost.api.meta import NODE_CONTAINER
from waypost.ports.cluster import Obj

MESSAGE_LIMIT: Final = 4096
DEADLINE: Final = {
    "reason": "DeadlineExceeded",
    "message": "Pod was active on the node longer than the specified deadline",
}
INJECTED: Final = "vault-agent-init"  # an init container of others
Time = Callable[[], str]


def ended(code: int, message: str, reason: str, now: str) -> Obj:
    """How a container ended; of a long message the tail is kept, cut characters and all."""
    tail = message.encode()[-MESSAGE_LIMIT:].decode("utf-8", "replace")
    end: Obj = {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "finishedAt": now,
    }
    return {**end, "message": tail} if tail else end


def unknown(*, ran: bool = False) -> Obj:
    """The end of a container that never was, or that ran and is gone, as the kubelet writes it."""
    text = "The container could not be located when the pod was terminated"
    return {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": f"{text}.  The container used to be Running" if ran else text,
        "startedAt": None,
        "finishedAt": None,
    }


def start_error(why: str) -> Obj:
    """The end of a container that the runtime could not start, as containerd reports it."""
    never = "1970-01-01T00:00:00Z"
    end = {"exitCode": 128, "reason": "StartError", "startedAt": never, "finishedAt": never}
    return {**end, "message": f"failed to start containerd task: {why}"}


def init_waiting(status: Obj, *, why: str) -> None:
    """An init container that others have put in cannot be pulled."""
    _init(status, {"waiting": {"reason": "ErrImagePull", "message": why}})


def init_failed(status: Obj, *, why: str, now: str, name: str = INJECTED) -> None:
    """It failed, and with it the pod."""
    _init(status, {"terminated": ended(7, why, "", now)}, name)
    status["phase"] = "Failed"


def init_done(status: Obj, *, message: str = "", name: str = INJECTED) -> None:
    end = {"exitCode": 0, "reason": "Completed", "message": message}
    _init(status, {"terminated": end}, name)


def _init(status: Obj, state: Obj, name: str = INJECTED) -> None:
    status["initContainerStatuses"] = [{"name": name, "state": state}]
    _container(status, {"waiting": {"reason": "PodInitializing"}})


def unschedulable(status: Obj, *, why: str) -> None:
    _condition(status, "PodScheduled", "False", reason="Unschedulable", message=why)


def bound(status: Obj, *, time: Time) -> None:
    _condition(status, "PodScheduled", "True")
    status["startTime"] = time()
    _container(status, {"waiting": {"reason": "ContainerCreating"}})


def waiting(status: Obj, *, why: str) -> None:
    _container(status, {"waiting": {"reason": "ErrImagePull", "message": why}})


def running(status: Obj, *, started: str) -> None:
    status["phase"] = "Running"
    _container(status, {"running": {"startedAt": started}})


def unready(status: Obj, *, time: Time) -> None:
    """Its machine is silent, says the node lifecycle controller."""
    _condition(status, "Ready", "False", lastTransitionTime=time())


def ready(status: Obj, *, time: Time) -> None:
    _condition(status, "Ready", "True", lastTransitionTime=time())


def terminated(status: Obj, *, end: Obj) -> None:
    _container(status, {"terminated": end})


def started_again(status: Obj, *, end: Obj, count: int, state: Obj) -> None:
    """The kubelet starts the container again, or waits before it does."""
    _container(status, state)
    status["containerStatuses"][0] |= {"restartCount": count, "lastState": {"terminated": end}}


def repeats(pod: Obj, end: Obj) -> bool:
    """Whether the kubelet starts a container again that has ended, or that it does not find."""
    policy = pod["spec"].get("restartPolicy")
    gone = end.get("reason") == "ContainerStatusUnknown"  # whatever the policy is
    failed = policy == "OnFailure" and bool(end.get("exitCode"))
    return is_alive(pod) and (gone or policy == "Always" or failed)


def is_alive(pod: Obj) -> bool:
    """Whether nobody has deleted a pod."""
    return "deletionTimestamp" not in pod["metadata"]


def forgotten(status: Obj) -> None:
    """The kubelet has removed the containers that ended before the last one."""
    for entry in status.get("containerStatuses", ()):
        entry.pop("lastState", None)


def over(status: Obj, *, end: Obj, why: Mapping[str, str]) -> None:
    status["phase"] = "Failed" if why or end.get("exitCode") else "Succeeded"
    status.update(why)


def is_over(pod: Obj) -> bool:
    """Whether all containers of a pod have ended."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def disrupted(status: Obj, *, reason: str, time: Time) -> None:
    _condition(status, "DisruptionTarget", "True", reason=reason, lastTransitionTime=time())


def orphaned(status: Obj, *, time: Time) -> None:
    """Its machine is gone: PodGC says that it failed, and nothing about its container."""
    disrupted(status, reason="DeletionByPodGC", time=time)
    status["phase"] = "Failed"


def never_ran(status: Obj) -> None:
    """Deleted before a machine had it."""
    status["phase"] = "Failed"


def changed(pod: Obj, change: Callable[[Obj], None]) -> None:
    """Change the status of a pod; a container that was created shows the image that the runtime has
    resolved."""
    change(pod["status"])
    time = pod["metadata"]["creationTimestamp"]
    for entry in pod["status"].get("containerStatuses", ()):
        named = [c for c in pod["spec"]["containers"] if c["name"] == entry["name"]]
        if named and _was_created(entry["state"]):
            entry["imageID"] = image_id(named[0]["image"], time)


def _was_created(state: Obj) -> bool:
    unknown_end = state.get("terminated", {}).get("reason") == "ContainerStatusUnknown"
    return "running" in state or ("terminated" in state and not unknown_end)


def image_id(image: str, time: str) -> str:
    """What a runtime shows for an image. A tag moves with every minute."""
    name, _, digest = image.partition("@")
    moved = hashlib.sha256(f"{name} {time[:16]}".encode()).hexdigest()
    head, slash, last = name.rpartition("/")
    repository = head + slash + last.partition(":")[0]
    whole = repository if slash else f"docker.io/library/{repository}"
    return f"{whole}@{digest or f'sha256:{moved}'}"


def _container(status: Obj, state: Obj) -> None:
    known = status.get("containerStatuses") or [{"restartCount": 0}]
    kept = {key: known[0][key] for key in ("restartCount", "lastState") if key in known[0]}
    entry = {"name": NODE_CONTAINER, "state": state, **kept, "ready": "running" in state}
    status["containerStatuses"] = [entry]


def _condition(status: Obj, type_: str, value: str, **more: Any) -> None:
    others = [c for c in status.get("conditions", []) if c["type"] != type_]
    status["conditions"] = [*others, {"type": type_, "status": value, **more}]
