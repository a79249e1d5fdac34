"""`waypost download`: write an artifact to a file, verified by its digest."""

import base64
import hashlib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from waypost.cli import options
from waypost.cli.errors import CommandError, Exit

if TYPE_CHECKING:
    from waypost.cli.connection.cluster import Session
    from waypost.ports.cluster import Obj

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_GZIP: Final = 16 + zlib.MAX_WBITS
_PIECE: Final = 1024 * 1024


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
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Write an artifact to a file, as tar.gz.

    It reads the NodeRecord with your rights (role waypost-view-payloads), and compares the content
    with its digest. An artifact in the object store is not read: the message has its key.
    """
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.ports.cluster import ClusterError, Kind

    async def work(session: "Session") -> "Obj":
        try:
            return await session.cluster.get(
                Kind.NODE_RECORD, namespace=session.namespace, name=record
            )
        except ClusterError as error:
            text = f"NodeRecord {record} cannot be read: {error}"
            raise CommandError(text, code=Exit.NOT_FOUND) from None

    content, digest = content_of(with_cluster(Target(kubeconfig, context, namespace), work))
    path = to or Path(f"{record}.tar.gz")
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    typer.echo(f"{path}: {len(content)} bytes, verified: {digest}")


def content_of(record: "Obj") -> tuple[bytes, str]:
    """The gzip in the NodeRecord of an artifact, and the digest of its tar. Raises CommandError."""
    from waypost.kube.objects import section, text

    spec = section(record, "spec")
    name, digest = text(section(record, "metadata"), "name"), text(spec, "digest")
    if text(spec, "type") != "Artifact":
        raise CommandError(f"NodeRecord {name} holds no artifact; found {text(spec, 'type')}")
    if "compressed" not in spec:
        key = text(spec, "object")
        raise CommandError(
            f"the content of {name} is in the object store, below the key {key}; its parts in "
            "order are a tar.gz. Ask a person who may read the store"
        )
    try:
        content = base64.b64decode(text(spec, "compressed"), validate=True)
        found = _digest(content, most=int(spec.get("size", 0)))
    except (ValueError, zlib.error) as error:
        raise CommandError(f"NodeRecord {name} is damaged: {error}") from None
    if found != digest:
        raise CommandError(f"NodeRecord {name} is damaged: expected {digest}, found {found}")
    return content, digest


def _digest(content: bytes, *, most: int) -> str:
    """The digest of what a gzip holds. Raises ValueError if it is more than `most` bytes."""
    unpacker, sum_, size = zlib.decompressobj(wbits=_GZIP), hashlib.sha256(), 0
    while not unpacker.eof:
        piece = unpacker.decompress(content, _PIECE)
        if not piece and not unpacker.unconsumed_tail:
            raise ValueError("it is incomplete")
        content, size = unpacker.unconsumed_tail, size + len(piece)
        if size > most:
            raise ValueError(f"it has more than {most} bytes")
        sum_.update(piece)
    return f"sha256:{sum_.hexdigest()}"
