"""Chooses kubeconfig file, context and namespace by the rules of kubectl."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from waypost.cli.errors import CommandError, Exit

DEFAULT = Path("~/.kube/config")


@dataclass(frozen=True)
class Choice:
    """A context in a kubeconfig file. `path` None: the service account of this pod."""

    path: Path | None
    context: str | None
    namespace: str


def choose(
    *, kubeconfig: Path | None, context: str | None, environ: Mapping[str, str] = os.environ
) -> Choice:
    """Choose the context: from `kubeconfig`, else KUBECONFIG, else ~/.kube/config, else the pod's
    service account.

    With several files, the first one that has the context is used; unlike in kubectl, one context
    is not merged from several files.

    Raises:
        CommandError: a file cannot be read, or no file has the context.
    """
    paths = _paths(kubeconfig, environ)
    files = list(_read(paths, required=kubeconfig is not None or "KUBECONFIG" in environ))
    if not files and context is None and environ.get("KUBERNETES_SERVICE_HOST"):
        return Choice(path=None, context=None, namespace=environ.get("POD_NAMESPACE", "default"))
    wanted = context or next(
        (f["current-context"] for _, f in files if f.get("current-context")), None
    )
    shown = os.pathsep.join(str(path) for path in paths)
    if wanted is None:
        text = f"no current context in {shown}; choose one with --context"
        raise CommandError(text, code=Exit.USAGE)
    known: list[str] = []
    for path, content in files:
        for name, namespace in _contexts(content):
            if name == wanted:
                return Choice(path=path, context=wanted, namespace=namespace or "default")
            known.append(name)
    listed = ", ".join(sorted(known)) or "none"
    text = f"no context {wanted!r} in {shown}; contexts: {listed}"
    raise CommandError(text, code=Exit.USAGE)


def _paths(kubeconfig: Path | None, environ: Mapping[str, str]) -> list[Path]:
    if kubeconfig is not None:
        return [kubeconfig]
    named = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part) for part in named] or [DEFAULT.expanduser()]


def _read(paths: list[Path], *, required: bool) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The files that exist. Raises CommandError for a required file that is missing or not YAML."""
    for path in paths:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            if required and len(paths) == 1:
                raise CommandError(f"kubeconfig: {error}", code=Exit.USAGE) from error
            continue
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            text = f"kubeconfig {path} cannot be read: {error}"
            raise CommandError(text, code=Exit.USAGE) from error
        if isinstance(content, dict):
            yield path, content


def _contexts(content: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Names and default namespaces of a file's contexts."""
    for entry in content.get("contexts") or ():
        if isinstance(entry, dict):
            inner = entry.get("context")
            yield (
                str(entry.get("name")),
                inner.get("namespace") if isinstance(inner, dict) else None,
            )
