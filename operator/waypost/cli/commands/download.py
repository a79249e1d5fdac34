"""`waypost download`: write an artifact to a file, verified by its digest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.cli.reading.artifact_content import Artifact
    from waypost.gateway.objects import S3Settings
    from waypost.ports.cluster import Obj

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def download(
    record: Annotated[
        str,
        typer.Argument(
            metavar="RECORD", help="NodeRecord of the artifact, as Approval and run name it."
        ),
    ],
    to: Annotated[
        Path | None, typer.Option("--to", help="File to write. Default: RECORD.tar.gz.")
    ] = None,
    bucket: Annotated[
        str,
        typer.Option(envvar="WAYPOST_S3_BUCKET", help="Bucket of the object store."),
    ] = "",
    prefix: Annotated[
        str,
        typer.Option(envvar="WAYPOST_S3_PREFIX", help="Prefix of this installation in the bucket."),
    ] = "",
    endpoint: Annotated[
        str,
        typer.Option(envvar="WAYPOST_S3_ENDPOINT", help="URL of the object store. Default: AWS."),
    ] = "",
    region: Annotated[
        str, typer.Option(envvar="WAYPOST_S3_REGION", help="Region of the bucket.")
    ] = "us-east-1",
    path_style: Annotated[
        bool,
        typer.Option(
            envvar="WAYPOST_S3_PATH_STYLE",
            help="Whether the bucket is in the path instead of the host name.",
        ),
    ] = True,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Write an artifact to a file, as tar.gz.

    It reads the NodeRecord with your rights (role waypost-view-payloads), and compares the content
    with its digest. What is in the object store it reads from there, with AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY of your environment; --bucket, --prefix and --endpoint are those of
    gateway.objectStore in the chart. No service of Waypost reads it for people.
    """
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.reading.artifact_content import artifact_in

    store = _store(bucket, prefix, endpoint, region, path_style)
    path = to or Path(f"{record}.tar.gz")

    async def work(session: "Session") -> "tuple[Artifact, int]":
        body = await _read(session, record)
        artifact = artifact_in(body, namespace=session.namespace)
        return artifact, await _write(artifact, store, path)

    artifact, size = with_cluster(Target(kubeconfig, context, namespace), work)
    typer.echo(f"{path}: {size} bytes, verified: {artifact.digest}")


def _store(
    bucket: str, prefix: str, endpoint: str, region: str, path_style: bool
) -> "S3Settings | None":
    from waypost.gateway.objects import S3Settings

    if endpoint and not endpoint.startswith(("http://", "https://")):
        text = f"--endpoint must start with http:// or https://; found {endpoint}"
        raise CommandError(text, code=Exit.USAGE)
    if not bucket:
        return None
    return S3Settings(bucket, prefix.strip("/"), endpoint.rstrip("/"), region, path_style)


async def _read(session: "Session", record: str) -> "Obj":
    from waypost.ports.cluster import ClusterError, Kind

    try:
        return await session.cluster.get(Kind.NODE_RECORD, namespace=session.namespace, name=record)
    except ClusterError as error:
        text = f"NodeRecord {record} cannot be read: {error}"
        raise CommandError(text, code=Exit.NOT_FOUND) from None


async def _write(artifact: "Artifact", store: "S3Settings | None", path: Path) -> int:
    """Write the content; a file that is not verified to its end is removed. Returns its bytes."""
    from waypost.cli.reading.artifact_content import verified

    size = 0
    try:
        with path.open("xb") as file:
            try:
                async for piece in verified(artifact, store):
                    size += file.write(piece)
            except BaseException:
                _discard(path)
                raise
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    return size


def _discard(path: Path) -> None:
    path.unlink()
