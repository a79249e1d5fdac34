"""A PostgreSQL server of the distribution, as a process of the tests. It listens on a socket file
alone."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).parents[2]


def programs() -> Path | None:
    """The folder with initdb and postgres; None where they cannot be had."""
    done = subprocess.run(
        [str(REPOSITORY / "scripts" / "postgres.sh")],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return Path(done.stdout.strip()) if done.returncode == 0 else None


@contextmanager
def server(bin_: Path) -> Iterator[str]:
    """A running server with an empty database; its URL."""
    folder = Path(tempfile.mkdtemp(prefix="waypost-pg-", dir="/tmp"))
    user = _owner(folder)
    data = folder / "data"
    try:
        options = ["--auth=trust", "--username=waypost", "--encoding=UTF8", "--no-sync"]
        _run([str(bin_ / "initdb"), f"--pgdata={data}", *options], user)
        listen = f"-k {folder} -c listen_addresses='' -c unix_socket_permissions=0777"
        control = [str(bin_ / "pg_ctl"), f"--pgdata={data}", "--wait", f"--log={folder}/log"]
        _run([*control, f"--options={listen}", "start"], user)
        try:
            yield f"postgresql://waypost@/postgres?host={folder}"
        finally:
            _run([*control, "--mode=immediate", "stop"], user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner(folder: Path) -> dict[str, Any]:
    """Who runs the server: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    folder.chmod(0o755)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(command: list[str], user: dict[str, Any]) -> None:
    # To a file: the server inherits the output, and a pipe would stay open.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            command, stdout=said, stderr=said, timeout=120, check=False, cwd="/", **user
        )
        said.seek(0)
        assert done.returncode == 0, said.read().decode()
