"""What MkDocs calls: add the pages that are not in docs/, order all pages, point links to them."""

from pathlib import Path
from typing import Any, Final

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from scripts.docs_site import examples, nav, places, reference

ROOT: Final = Path(__file__).resolve().parents[2]
STYLE: Final = "assets/site.css"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages made from other files, and set the order of all of them."""
    made = {page: _read(path) for path, page in places.DOCUMENTS.items()}
    folders = sorted(each for each in (ROOT / "examples").iterdir() if each.is_dir())
    made["examples/index.md"] = examples.example_list(folders)
    made |= {f"examples/{each.name}.md": examples.example_page(each) for each in folders}
    resources = [
        yaml.safe_load(each.read_text("utf-8")) for each in sorted(ROOT.glob("crds/*.yaml"))
    ]
    pages = {f"reference/{_kind(crd).lower()}.md": crd for crd in resources}
    made |= {page: reference.resource_page(crd) for page, crd in pages.items()}
    made["reference/commands.md"] = reference.commands_page()
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))
    made["adr/index.md"] = _decision_list(decisions)
    made[STYLE] = "td:first-child code { white-space: nowrap; }\n"
    config.extra_css.append(STYLE)
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    config.nav = nav.navigation(
        _read("docs/llms.txt"),
        reference=[
            *({_kind(crd): page} for page, crd in pages.items()),
            {"Commands": "reference/commands.md"},
            {"Helm chart": "chart.md"},
        ],
        examples=[f"examples/{each.name}.md" for each in folders],
        decisions=[f"adr/{each.name}" for each in decisions],
    )
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page to other pages."""
    uri = page.file.src_uri
    path = places.document_of(uri)
    return places.with_site_links(markdown, path=path, page=uri) if path else markdown


def _decision_list(paths: list[Path]) -> str:
    titles = [(path.name, path.read_text("utf-8").splitlines()[0]) for path in paths]
    rows = "\n".join(f"- [{title.removeprefix('# ')}]({name})" for name, title in titles)
    about = "Each page has a problem, what was considered, and what was chosen."
    return f"# Decisions\n\n{about}\n\n{rows}\n"


def _kind(crd: dict[str, Any]) -> str:
    kind: str = crd["spec"]["names"]["kind"]
    return kind


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
