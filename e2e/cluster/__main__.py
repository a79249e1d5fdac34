"""`python -m e2e.cluster COMMAND`: a real Kubernetes for tests. Needs Python alone.

CLUSTER=kind|embedded|current chooses the provider, WAYPOST_CLUSTER the cluster's name,
WAYPOST_CACHE the folder everything is kept in.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence

from e2e.cluster import api, files, golang, providers
from e2e.cluster.embedded.provider import Embedded
from e2e.cluster.errors import ClusterError
from e2e.cluster.settings import PROVIDERS, Settings, from_environment
from e2e.cluster.shell import Progress

INTERRUPTED = 130
MACHINE_ACTIONS = ("add", "remove", "stop", "start", "cut-off")
CACHED = ("bin", "tools", "images", "buildah", "build-settings", "context", "go-toolchain", "logs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 with an explanation when not."""
    options = _parser().parse_args(arguments)
    # What ends a run early must unwind it, from any sender: a terminal, make, a CI time-out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = from_environment(provider=options.provider)
        command: Callable[[argparse.Namespace, Settings, Progress], int] = options.run
        code = command(options, settings, Progress())
        sys.stdout.flush()
        return code
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader (`... | head`) has what it wanted; exiting normally would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # Not one we foresaw: mostly a cache that another user owns, or a full disk.
        found, do = f"{type(error).__name__}: {error}", "check the owner of that path and the disk"
        print(f"error: {ClusterError('go on', found=found, do=do)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command continues from here", file=sys.stderr)
        return INTERRUPTED


def _up(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    chosen, cluster = api.bring_up(settings, progress)
    progress.say(f"cluster {settings.name!r} is up ({chosen})")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    if chosen == "embedded":
        kubectl = golang.node_binaries(settings, progress) / "kubectl"
        print(f"{kubectl} get nodes")
    print("python -m e2e.cluster images   # build Waypost's images and load them")
    print("python -m e2e.cluster down     # remove the cluster")
    return 0


def _down(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    with api.locked(settings, progress):
        chosen = settings.provider or providers.remembered(settings)
        if chosen is None:
            # Nothing is remembered, but what an embedded run left can be looked for.
            chosen = "embedded" if settings.folder.exists() else None
        if chosen is not None:
            providers.PROVIDERS[chosen](settings, progress).down()
            providers.forget(settings, chosen)
            if chosen in providers.MANAGED:
                progress.say(f"cluster {settings.name!r} is gone")
        else:
            progress.say(f"there is no cluster {settings.name!r}")
    if options.purge:
        _purge(settings, progress)
    return 0


def _purge(settings: Settings, progress: Progress) -> None:
    others = [path.stem for path in settings.folder.parent.glob("*.provider")]
    if others:
        raise ClusterError(
            f"remove the cache {settings.cache}",
            found=f"clusters that use it: {', '.join(others)}",
            do="take those down first (WAYPOST_CLUSTER=NAME python -m e2e.cluster down)",
        )
    files.unmount_below(settings.cache)
    for name in CACHED:
        shutil.rmtree(settings.cache / name, ignore_errors=True)
    shutil.rmtree(settings.build_runtime, ignore_errors=True)
    progress.say(f"removed binaries, images and logs from {settings.cache}")


def _status(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    chosen = settings.provider or providers.remembered(settings)
    if chosen is None:
        print(f"cluster {settings.name}: down")
        return 1
    print(f"cluster {settings.name}: {chosen}")
    for name, state in providers.PROVIDERS[chosen](settings, progress).status().items():
        print(f"  {name:<24} {state}")
    return 0


def _kubeconfig(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    chosen = settings.provider or providers.remembered(settings) or "embedded"
    path = providers.PROVIDERS[chosen](settings, progress).kubeconfig
    if not path.exists():
        raise ClusterError(
            f"print the kubeconfig of {settings.name!r}",
            found=f"no {path}",
            do="run `python -m e2e.cluster up`",
        )
    print(path)
    return 0


def _tools(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    wanted = golang.TOOLS if options.kubeconform else golang.HELM_ALONE
    print(golang.tools(settings, progress, wanted))
    return 0


def _images(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    chosen, cluster = api.bring_up(settings, progress)
    loaded = api.load_images(chosen, cluster, settings, progress)
    if options.print_json:
        print(json.dumps(loaded, sort_keys=True))
    else:
        print("\n".join(f"{name} {image}" for name, image in sorted(loaded.items())))
    return 0


def _machine(options: argparse.Namespace, settings: Settings, progress: Progress) -> int:
    with api.locked(settings, progress):
        chosen = settings.provider or providers.remembered(settings)
        if chosen != "embedded":
            raise ClusterError(
                f"{options.action} machine {options.number}",
                found=f"the cluster {settings.name!r} is {chosen or 'down'}",
                do="only CLUSTER=embedded has further machines; bring it up first",
            )
        cluster = Embedded(settings, progress)
        machine = cluster.machine(options.number)
        actions: dict[str, Callable[[], object]] = {
            "add": lambda: cluster.add_machine(options.number),
            "remove": lambda: cluster.remove_machine(options.number),
            "stop": machine.stop,
            "start": machine.start,
            "cut-off": machine.cut_off,
        }
        actions[options.action]()
    progress.say(f"machine {options.number}: {machine.state()}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m e2e.cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--provider", choices=PROVIDERS, help="instead of CLUSTER")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("up", _up, "bring the cluster up; reuses, repairs or replaces what is there"),
        ("down", _down, "remove the cluster"),
        ("status", _status, "tell what runs"),
        ("kubeconfig", _kubeconfig, "print the path of the kubeconfig"),
        ("tools", _tools, "print a folder with kubectl, helm and kubeconform"),
        ("images", _images, "build Waypost's images and load them into the cluster"),
        ("machine", _machine, "a further machine of the embedded cluster, which can be lost"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        if name == "down":
            command.add_argument("--purge", action="store_true", help="also empty the cache")
        if name == "images":
            command.add_argument("--print-json", action="store_true", help="print one object")
        if name == "tools":
            command.add_argument(
                "--without-kubeconform",
                dest="kubeconform",
                action="store_false",
                help="kubectl and helm",
            )
        if name == "machine":
            command.add_argument("action", choices=MACHINE_ACTIONS)
            command.add_argument("number", nargs="?", type=int, default=2, choices=range(2, 6))
    return parser


if __name__ == "__main__":
    sys.exit(main())
