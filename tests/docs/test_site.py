"""The documentation builds as a site, with every page, resource, command and example."""

import json
from pathlib import Path
from typing import Final

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from scripts.docs_site import examples, nav, places, reference
from tests.support.documents import document

ROOT: Final = Path(__file__).resolve().parents[2]


def built(folder: Path, *, docs: Path = ROOT / "docs") -> Path:
    """Build the site as `make docs` does, in another folder."""
    config = load_config(str(ROOT / "mkdocs.yml"), docs_dir=str(docs), site_dir=str(folder))
    build(config)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("site"))


def test_every_page_is_there(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs").with_suffix("") for path in ROOT.glob("docs/**/*.md")]
    pages += [Path("examples") / each.name for each in ROOT.glob("examples/*") if each.is_dir()]
    pages += [Path("changes"), Path("chart"), Path("contributing"), Path("reference/commands")]
    assert [str(page) for page in pages if not (site / page / "index.html").is_file()] == []
    assert (site / "llms.txt").is_file()


@pytest.mark.parametrize("crd", sorted(ROOT.glob("crds/*.yaml")), ids=lambda path: path.stem)
def test_every_resource_has_a_page_with_its_fields(site: Path, crd: Path) -> None:
    body = document(crd.read_text("utf-8"))
    page = (site / f"reference/{body['spec']['names']['singular']}/index.html").read_text("utf-8")
    schema = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert [name for name in schema["properties"]["spec"]["properties"] if name not in page] == []


def test_commands_have_their_help(site: Path) -> None:
    page = (site / "reference/commands/index.html").read_text("utf-8")
    for words in ("waypost rerun", "--dry-run", "waypost dev"):
        assert words in page


def test_the_search_finds_a_field(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text("utf-8"))
    found = {
        page["location"].split("#")[0] for page in index["docs"] if "queueTimeout" in page["text"]
    }
    assert {"concepts/", "reference/agentworkflow/"} <= found


def test_no_page_asks_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert "fonts.googleapis" not in text, page
        assert '<script src="http' not in text, page


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("[x](concept.md)", "no such page", id="page"),
        pytest.param("[x](other.md#no-such-heading)", "no such heading", id="heading"),
    ],
)
def test_a_broken_link_fails_the_build(
    tmp_path: Path, text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    (docs / "adr").mkdir(parents=True)
    (docs / "broken.md").write_text(f"# Broken\n\n{text}\n")
    (docs / "other.md").write_text("# Other\n")
    monkeypatch.setattr(nav, "navigation", lambda *_args, **_kwargs: ["broken.md", "other.md"])
    with pytest.raises(Abort):
        built(tmp_path / "site", docs=docs)


LINKS: Final = [
    pytest.param("docs/maps.md", "[a](first.md#b)", "[a](first.md#b)", id="page-beside"),
    pytest.param("docs/adr/0022-maps.md", "[a](../maps.md)", "[a](../maps.md)", id="page-above"),
    pytest.param("README.md", "[a](docs/maps.md)", "[a](maps.md)", id="from-the-readme"),
    pytest.param("README.md", "![a](docs/images/x.png)", "![a](images/x.png)", id="image"),
    pytest.param("docs/maps.md", "[a](../README.md#b)", "[a](index.md#b)", id="to-the-readme"),
    pytest.param(
        "docs/maps.md", "[a](../examples/loop/workflow.yaml)", "[a](examples/loop.md)", id="example"
    ),
    pytest.param("README.md", "[a](examples)", "[a](examples/index.md)", id="all-examples"),
    pytest.param("docs/maps.md", "[a](../LICENSE)", "a", id="not-on-the-site"),
    pytest.param("docs/maps.md", "[a](https://x.org/b)", "[a](https://x.org/b)", id="elsewhere"),
    pytest.param("docs/maps.md", "[a](#b)", "[a](#b)", id="heading"),
    pytest.param(
        "docs/maps.md", "```\n[a](../LICENSE)\n```", "```\n[a](../LICENSE)\n```", id="code"
    ),
]


@pytest.mark.parametrize(("path", "text", "becomes"), LINKS)
def test_links(path: str, text: str, becomes: str) -> None:
    page = places.page_of(path)
    assert page is not None
    assert places.document_of(page) == path
    assert places.with_site_links(text, path=path, page=page) == becomes


def test_a_field_shows_type_default_limits_and_values() -> None:
    text = {"type": "string", "description": "a <b> or c|d", "default": "x|y", "maxLength": 9}
    crd = {
        "spec": {
            "group": "g",
            "names": {"kind": "K", "singular": "k"},
            "versions": [
                {
                    "name": "v1",
                    "schema": {
                        "openAPIV3Schema": {
                            "properties": {
                                "spec": {
                                    "properties": {
                                        "name": text,
                                        "list": {
                                            "items": {"properties": {"n": {"type": "integer"}}}
                                        },
                                    },
                                    "required": ["name"],
                                }
                            }
                        }
                    },
                }
            ],
        }
    }
    page = reference.resource_page(crd)
    assert (
        "| `name` | string | a &lt;b&gt; or c&#124;d **Required.** "
        "Default: <code>&#34;x&#124;y&#34;</code>. maxLength: <code>9</code>. |" in page
    )
    assert "| [`list`](#spec-list) | list of any |" in page
    assert "## spec.list[] { #spec-list }" in page


def test_the_list_of_examples_has_the_first_paragraph(tmp_path: Path) -> None:
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "workflow.yaml").write_text(
        "# Says hello,\n# twice.\n#\n#   kubectl apply\nkind: X\n"
    )
    assert "| [hello](hello.md) | Says hello, twice. |" in examples.example_list([folder])
