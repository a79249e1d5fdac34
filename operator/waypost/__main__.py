"""`python -m waypost`: run the operator, or clean up after it."""

import argparse
import sys

from waypost import __version__

EXIT_BAD_SETTINGS = 2

_RUN = "Run the operator until SIGTERM. Settings come from WAYPOST_* variables."
_UNINSTALL = (
    "Release all pods that wait for an operator: take the finalizer waypost.dev/result off, in "
    "every namespace served. For use after the operator is gone; results not yet recorded are "
    "given up. May be repeated."
)


def main(argv: list[str] | None = None) -> int:
    """Run a command; gives the exit code. 2: arguments or settings are wrong."""
    command = _parser().parse_args(argv).command
    if command == "version":
        print(__version__)
        return 0
    # Only now: a wrong setting is told at once and in one line, before the large imports.
    from waypost.settings import SettingsError, load_cluster_settings, load_settings

    try:
        if command == "run":
            settings = load_settings()
            from waypost.main import run

            return run(settings)
        cluster_settings = load_cluster_settings()
        from waypost.main import uninstall

        return uninstall(cluster_settings)
    except SettingsError as error:
        print(f"waypost: {error}", file=sys.stderr)
        return EXIT_BAD_SETTINGS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="waypost", description="Durable AI-agent workflows on Kubernetes."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the operator", description=_RUN)
    commands.add_parser("version", help="print the version", description="Print the version.")
    commands.add_parser("uninstall", help="release all held pods", description=_UNINSTALL)
    return parser


if __name__ == "__main__":
    sys.exit(main())
