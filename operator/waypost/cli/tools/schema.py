"""`waypost schema`: JSON Schemas of manifests and of the documents that commands print."""

from typing import Annotated, Any

import typer

from waypost.cli.errors import CommandError, Exit

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def schema(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Kind or document. Default: list the names.")
    ] = "",
) -> None:
    """Print JSON Schemas of manifests and documents.

    A document is what `-o json` of a command prints. The schema of a kind describes its spec, for
    editors and generators.
    """
    import json

    kinds, documents = _kinds(), _documents()
    if not name:
        for one in kinds:
            typer.echo(f"{one}  kind")
        for one in documents:
            typer.echo(f"{one}  document")
        return
    found = kinds.get(name) or documents.get(name)
    if found is None:
        known = ", ".join([*kinds, *documents])
        raise CommandError(f"no schema {name!r}; known ones are: {known}", code=Exit.NOT_FOUND)
    typer.echo(json.dumps(found(), indent=2, ensure_ascii=False))


def _kinds() -> dict[str, Any]:
    from waypost.api.approval import ApprovalSpec
    from waypost.api.base import Model
    from waypost.api.provider import ModelProviderSpec
    from waypost.api.template.spec import AgentWorkflowTemplateSpec
    from waypost.api.toolserver import ToolServerSpec
    from waypost.api.workflow import AgentWorkflowSpec

    models: dict[str, type[Model]] = {
        "AgentWorkflow": AgentWorkflowSpec,
        "AgentWorkflowTemplate": AgentWorkflowTemplateSpec,
        "Approval": ApprovalSpec,
        "ModelProvider": ModelProviderSpec,
        "ToolServer": ToolServerSpec,
    }
    return {kind: model.model_json_schema for kind, model in models.items()}


def _documents() -> dict[str, Any]:
    from waypost.views.schema import DOCUMENTS, schema_of

    return {model.__name__: (lambda model=model: schema_of(model)) for model in DOCUMENTS}
