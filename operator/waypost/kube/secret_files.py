"""Keys of Secrets and ConfigMaps as files of a pod: one key, one file, below one mount.

No environment variable holds a secret: those show in /proc, in crash dumps and in child processes
(docs/adr/0008-agent-nodes.md). The operator names keys and reads none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from waypost.api.base import JsonObject
from waypost.api.endpoint import KeyRef, TlsSource, ValueSource

ROOT: Final = "/waypost/secrets"
VOLUME: Final = "secrets"
_MODE: Final = 0o440  # readable for the pod's group (fsGroup), writable for none

Source = Literal["secret", "configMap"]


@dataclass(frozen=True)
class KeyFile:
    """One key, and the path of its file below the mount."""

    path: str  # relative to ROOT: model, tools/runbooks/0, http/1
    source: Source
    ref: KeyRef

    @property
    def mounted(self) -> str:
        """The file as the pod's program opens it."""
        return f"{ROOT}/{self.path}"


def value_file(path: str, source: ValueSource) -> KeyFile:
    """The file of a value. Exactly one of both is set in `source`; the CRD enforces it."""
    if source.secret_key_ref is not None:
        return KeyFile(path, "secret", source.secret_key_ref)
    assert source.config_map_key_ref is not None, "refused by the CRD"
    return KeyFile(path, "configMap", source.config_map_key_ref)


def ca_file(path: str, tls: TlsSource | None) -> KeyFile | None:
    """The file with the CA certificates to trust; None if `tls` names none."""
    if tls is None:
        return None
    if tls.ca_secret is not None:
        return KeyFile(path, "secret", tls.ca_secret)
    return KeyFile(path, "configMap", tls.ca_config_map) if tls.ca_config_map else None


def key_volume(files: Iterable[KeyFile]) -> tuple[JsonObject, JsonObject] | None:
    """The projected volume with `files` and its mount; None if there are none.

    The pod does not start while one of them is missing; an Event of the pod names it.
    """
    grouped: dict[tuple[Source, str], list[JsonObject]] = {}
    for file in files:
        item: JsonObject = {"key": file.ref.key, "path": file.path, "mode": _MODE}
        grouped.setdefault((file.source, file.ref.name), []).append(item)
    if not grouped:
        return None
    sources = [{kind: {"name": name, "items": items}} for (kind, name), items in grouped.items()]
    volume = {"name": VOLUME, "projected": {"defaultMode": _MODE, "sources": sources}}
    return volume, {"name": VOLUME, "mountPath": ROOT, "readOnly": True}


_NO_OBJECT: Final = re.compile(r'(secret|configmap) "(?:[^"/]+/)?([^"/]+)" not found')
_NO_KEY: Final = re.compile(r"references non-existent (secret|config) key: (\S+)")


def missing_key(trouble: str) -> bool:
    """Whether the kubelet's text about a failed mount names a missing object or key.

    False for temporary problems, such as a cache that is not filled yet.
    """
    return bool(_NO_OBJECT.search(trouble) or _NO_KEY.search(trouble))


def missing_object(trouble: str) -> str:
    """The Secret or ConfigMap that a failed mount does not find; "" if it names none."""
    match = _NO_OBJECT.search(trouble)
    return match[2] if match else ""


def explain(trouble: str, files: Iterable[KeyFile]) -> str:
    """The kubelet's text as a sentence that names the object and the key and how to create them.

    Any other text is returned unchanged.
    """
    known = tuple(files)
    if match := _NO_OBJECT.search(trouble):
        source, name = _source(match[1]), match[2]
        keys = [f.ref.key for f in known if (f.source, f.ref.name) == (source, name)]
        return f"{_KINDS[source]} {name} does not exist; {_remedy(source, name, keys)}"
    if match := _NO_KEY.search(trouble):
        source, key = _source(match[1]), match[2].rstrip(",]")
        # The kubelet does not name the object.
        names = sorted({f.ref.name for f in known if (f.source, f.ref.key) == (source, key)})
        which = " or ".join(names) or "(unknown)"
        return f"{_KINDS[source]} {which} has no key {key}; add it, or name the right key"
    return trouble


_KINDS: Final[dict[Source, str]] = {"secret": "Secret", "configMap": "ConfigMap"}


def _source(word: str) -> Source:
    return "secret" if word == "secret" else "configMap"


def _remedy(source: Source, name: str, keys: list[str]) -> str:
    what = "secret generic" if source == "secret" else "configmap"
    given = " ".join(f"--from-file={key}=FILE" for key in keys)
    return f"create it: kubectl create {what} {name} {given}".rstrip()
