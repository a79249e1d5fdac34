"""The values that the chart is installed with."""

import pytest

from e2e.cluster import chart

IMAGES = {"operator": "w/op:1", "runner": "w/run:2", "agent": "w/ag:3"}


@pytest.mark.parametrize(
    ("reference", "values"),
    [
        pytest.param("w.local/op:dev-1", ("w.local/op", "tag", "dev-1"), id="tag"),
        pytest.param("h:5000/op:1", ("h:5000/op", "tag", "1"), id="port-and-tag"),
        pytest.param("h:5000/op", ("h:5000/op", "tag", "latest"), id="port"),
        pytest.param("w/op@sha256:ab", ("w/op", "digest", "sha256:ab"), id="digest"),
    ],
)
def test_image_becomes_values(reference: str, values: tuple[str, str, str]) -> None:
    repository, key, value = values
    assert chart.image("x", reference) == {"x.repository": repository, f"x.{key}": value}


@pytest.mark.parametrize(
    ("provider", "fixed"),
    [
        pytest.param("embedded", True, id="no-dns"),
        pytest.param("kind", False, id="dns"),
        pytest.param("current", False, id="of-the-user"),
    ],
)
def test_the_gateway_has_a_fixed_address_where_there_is_no_dns(provider: str, fixed: bool) -> None:
    values = chart.values(provider, IMAGES)
    assert ("gateway.clusterIP" in values) is fixed
    assert (values["image.tag"], values["runner.image.tag"], values["agent.image.tag"]) == (
        "1",
        "2",
        "3",
    )
