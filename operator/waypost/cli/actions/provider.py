"""`waypost provider`: what an administrator of a namespace does for the model gateway."""

from typing import TYPE_CHECKING, Annotated

import typer

from waypost.cli import options

if TYPE_CHECKING:
    from typing import TypeVar

    from pydantic import BaseModel

    from waypost.cli.connection.cluster import Session
    from waypost.ports.cluster import Obj

    M = TypeVar("M", bound=BaseModel)

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def provider() -> None:
    """ModelProviders, ToolServers and the model gateway."""


@app.command()
def grant(
    account: Annotated[
        str,
        typer.Option(metavar="NAMESPACE/NAME", help="ServiceAccount of the model gateway."),
    ] = "waypost-system/waypost-models",
    secret: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A Secret that http nodes with egress: Gateway name."),
    ] = None,
    config_map: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The same of a ConfigMap.")
    ] = None,
    namespace: options.Namespace = None,
    context: options.Context = None,
    kubeconfig: options.Kubeconfig = None,
) -> None:
    """Print the Role that lets the model gateway read the keys of a namespace.

    It names each Secret and ConfigMap that a ModelProvider, or a ToolServer over http, of the
    namespace names, and those of --secret and --config-map. Read it, then pass it to kubectl apply
    -f -.
    """
    import yaml

    from waypost.api.provider import ModelProviderSpec
    from waypost.api.toolserver import ToolServerSpec
    from waypost.cli.connection.cluster import Target, with_cluster
    from waypost.cli.errors import CommandError, Exit
    from waypost.kube.manifests.grant import grant_manifests
    from waypost.ports.cluster import Kind

    account_namespace, slash, name = account.partition("/")
    if not slash or not name or not account_namespace:
        raise CommandError(f"--account: expected NAMESPACE/NAME, found {account}", code=Exit.USAGE)

    async def work(session: "Session") -> "tuple[str, tuple[Obj, ...], tuple[Obj, ...]]":
        where = session.namespace
        providers = await session.cluster.list(Kind.MODEL_PROVIDER, namespace=where)
        servers = await session.cluster.list(Kind.TOOL_SERVER, namespace=where)
        return where, providers.items, servers.items

    where, providers, servers = with_cluster(Target(kubeconfig, context, namespace), work)
    made = grant_manifests(
        where,
        _readable(providers, ModelProviderSpec),
        servers=_readable(servers, ToolServerSpec),
        account=name,
        account_namespace=account_namespace,
        secrets=secret or (),
        config_maps=config_map or (),
    )
    if not made:
        text = (
            f"no ModelProvider or ToolServer of namespace {where} names a Secret or ConfigMap; "
            "name those of http nodes with --secret and --config-map"
        )
        raise CommandError(text, code=Exit.NOT_FOUND)
    typer.echo(yaml.safe_dump_all(made, sort_keys=False), nl=False)


def _readable(found: "tuple[Obj, ...]", model: "type[M]") -> "list[M]":
    """The specs; those that cannot be read are reported."""
    from pydantic import ValidationError

    from waypost.kube import objects

    specs = []
    for each in found:
        try:
            specs.append(model.model_validate(objects.section(each, "spec")))
        except ValidationError:
            named = objects.text(objects.section(each, "metadata"), "name")
            typer.echo(f"left out: {each['kind']} {named} cannot be read", err=True)
    return specs
