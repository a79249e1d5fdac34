"""Values that no cluster and no server takes are found before the run (S468)."""

from typing import Any

import pytest
from waypost.compiler.definition import define

from tests.support.builders import container, http, spec


def problems(node: Any, **fields: Any) -> list[str]:
    return [str(each) for each in define(spec(node, **fields)).problems]


IMAGES = {
    "blank": "a b",
    "line-break": "x\n",
    "scheme": "https://docker.io/x",
    "upper-case": "registry.test/Team/App:1",
    "empty-tag": "x:",
    "two-tags": "x:1:2",
    "short-digest": "x@sha256:abc",
    "slash-at-the-end": "x/",
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_s468_a_text_that_is_no_image_is_refused(image: str) -> None:
    (found,) = problems(container("a", image=image))
    assert found.startswith("nodes.a.container.image: ")
    assert "is no name of an image" in found


GOOD_IMAGES = (
    "x",
    "busybox:1.36",
    "team/app",
    "registry.test:5000/team/app_x--y.z:v1.0-rc_2",
    "[fd00::1]:5000/app",
    "localhost/app@sha256:" + "0" * 64,
    "ghcr.io/a/b:tag@sha256:" + "f" * 64,
    "Registry/app",
)


@pytest.mark.parametrize("image", GOOD_IMAGES)
def test_s468_names_of_images_are_taken(image: str) -> None:
    assert problems(container("a", image=image)) == []


RESOURCES = {
    "blank": ({"limits": {"memory": "64 Gi"}}, "limits.memory: '64 Gi' is no amount"),
    "word": ({"limits": {"memory": "much"}}, "is no amount"),
    "unit": ({"limits": {"memory": "64GB"}}, "is no amount"),
    "negative": ({"requests": {"cpu": "-1"}}, "requests.cpu: -1 is below 0"),
    "half-a-device": ({"limits": {"nvidia.com/gpu": "500m"}}, "devices are counted"),
    "no-resource": ({"limits": {"gpu": "1"}}, "limits.gpu: is no resource"),
    "above": ({"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}, "2 is more than the limit of"),
    "above-in-other-units": (
        {"requests": {"memory": "2G"}, "limits": {"memory": "1Gi"}},
        "2G is more than the limit of 1Gi",
    ),
}


@pytest.mark.parametrize(("resources", "words"), RESOURCES.values(), ids=RESOURCES.keys())
def test_s468_resources_that_no_pod_can_have_are_refused(resources: Any, words: str) -> None:
    (found,) = problems(container("a", resources=resources))
    assert words in found
    (found,) = problems(container("a"), defaults={"resources": resources})
    assert found.startswith("defaults.resources.")


GOOD_RESOURCES = {
    "units": {
        "limits": {"memory": "1Gi", "cpu": "500m"},
        "requests": {"memory": "1e9", "cpu": 0.5},
    },
    "equal": {"limits": {"memory": "1Gi"}, "requests": {"memory": "1024Mi"}},
    "devices": {"limits": {"nvidia.com/gpu": "2", "hugepages-2Mi": "4Mi"}},
    "whole-device": {"limits": {"nvidia.com/gpu": "1000m"}},
    "request-alone": {"requests": {"cpu": "2"}},
    "large": {"limits": {"memory": "1E", "ephemeral-storage": "2Ei"}},
}


@pytest.mark.parametrize("resources", GOOD_RESOURCES.values(), ids=GOOD_RESOURCES.keys())
def test_s468_resources_are_taken(resources: Any) -> None:
    written = {
        field: {
            name: amount if isinstance(amount, str) else str(amount) for name, amount in of.items()
        }
        for field, of in resources.items()
    }
    assert problems(container("a", resources=written)) == []


REQUESTS = {
    "ftp": ({"url": "ftp://x.test/"}, "http.url: expected http://... or https://..."),
    "no-scheme": ({"url": "x.test/a"}, "expected http://"),
    "line-break": ({"url": "https://x.test/a\nb"}, "has a control character"),
    "nul": ({"url": "https://x.test/a\0"}, "has a control character"),
    "port": ({"url": "https://x.test:99999/"}, "its port is no number"),
    "user": ({"url": "https://u:p@x.test/"}, "use auth.basic instead"),
    "length": ({"headers": [{"name": "Content-Length", "value": "5"}]}, "remove it"),
    "chunked": ({"headers": [{"name": "transfer-encoding", "value": "chunked"}]}, "remove it"),
    "crlf": ({"headers": [{"name": "X-A", "value": "a\r\nB: c"}]}, "no header can hold"),
    "unicode": ({"headers": [{"name": "X-A", "value": "grün"}]}, "no header can hold"),
}


@pytest.mark.parametrize(("fields", "words"), REQUESTS.values(), ids=REQUESTS.keys())
def test_s468_requests_that_cannot_be_sent_are_refused(fields: Any, words: str) -> None:
    (found,) = problems(http("a", **{"url": "https://x.test/", **fields}))
    assert words in found
    assert "u:p" not in found


GOOD_REQUESTS: dict[str, Any] = {
    "host": {"url": "https://x.test", "headers": [{"name": "Host", "value": "y.test"}]},
    "international": {"url": "https://münchen.test/ä b?ö=ü"},
    "address": {"url": "http://[::1]:8080/x"},
    "computed": {"url": "${inputs.scheme}://x.test/"},
    "computed-header": {
        "url": "https://x.test",
        "headers": [{"name": "X-A", "value": "grün ${inputs.scheme}"}],
    },
}


@pytest.mark.parametrize("fields", GOOD_REQUESTS.values(), ids=GOOD_REQUESTS.keys())
def test_s468_requests_are_taken(fields: Any) -> None:
    assert problems(http("a", **fields), inputs={"scheme": "https"}) == []
