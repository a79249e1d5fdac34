"""Which troubles of pods pass by themselves (K6)."""

import pytest
from waypost.kube.facts.refusals import lasts

QUOTA = 'pods "x" is forbidden: exceeded quota: team, requested: {}, used: {}, limited: {}'


@pytest.mark.parametrize(
    ("trouble", "lasting"),
    [
        pytest.param('Pod "x" is invalid: spec.containers[0].image', True, id="invalid"),
        pytest.param('pods "x" is forbidden: violates PodSecurity "restricted"', True, id="psa"),
        pytest.param(
            "maximum cpu usage per Container is 1, but limit is 2", True, id="limit-range"
        ),
        pytest.param("failed quota: q: must specify limits.cpu", True, id="quota-wants-a-limit"),
        pytest.param('admission webhook "w" denied the request: no', True, id="policy"),
        pytest.param(
            "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied "
            "request: no",
            True,
            id="admission-policy",
        ),
        pytest.param(
            'pods "x" is forbidden: unable to validate against any security context constraint: []',
            True,
            id="openshift",
        ),
        pytest.param(
            'pods "x" is forbidden: pod node label selector conflicts with its namespace node '
            "label selector",
            True,
            id="node-selector-of-the-namespace",
        ),
        pytest.param(
            "pod tolerations (possibly merged with namespace default tolerations) conflict with "
            "its namespace whitelist",
            True,
            id="tolerations-of-the-namespace",
        ),
        pytest.param(
            "init container i: CreateContainerConfigError: container has runAsNonRoot and image "
            "will run as root (pod: x, container: i)",
            True,
            id="root",
        ),
        pytest.param(
            "CreateContainerConfigError: container has runAsNonRoot and image has non-numeric user "
            "(nobody), cannot verify user is non-root",
            True,
            id="named-user",
        ),
        pytest.param(
            "CreateContainerConfigError: container's runAsUser breaks non-root policy",
            True,
            id="user-0",
        ),
        pytest.param(
            "CreateContainerError: failed to create containerd container: no command specified",
            True,
            id="no-command",
        ),
        pytest.param(
            "ErrImagePull: no match for platform in manifest: not found", True, id="platform"
        ),
        pytest.param(
            'pods "x" is forbidden: image policy webhook backend denied one or more images: latest',
            True,
            id="image-policy",
        ),
        pytest.param(
            "CreateContainerError: executable file `go` not found in $PATH: No such file",
            True,
            id="no-such-program",
        ),
        pytest.param("RunContainerError: exec /a: exec format error", True, id="architecture"),
        pytest.param(
            'InspectFailed: couldn\'t parse image name "Foo": invalid reference format',
            True,
            id="image-name-in-other-words",
        ),
        pytest.param(
            "memory max limit to request ratio per Container is 2, but provided ratio is 4.0",
            True,
            id="limit-range-of-a-ratio",
        ),
        pytest.param("minimum memory usage per Pod is 64Mi, but", True, id="limit-range-of-pods"),
        pytest.param('pod rejected: RuntimeClass "x" not found', False, id="runtime-class"),
        pytest.param('serviceaccount "x" not found', False, id="service-account"),
        pytest.param("ErrImagePull: manifest unknown", False, id="image-that-may-be-pushed"),
        pytest.param("ErrImagePull: no space left on device", False, id="disk-of-the-machine"),
        pytest.param('CreateContainerConfigError: secret "x" not found', False, id="secret"),
        pytest.param(
            QUOTA.format("requests.memory=3e9", "requests.memory=0", "requests.memory=2e9"),
            True,
            id="never-enough-in-powers-of-ten",
        ),
        pytest.param(
            QUOTA.format(
                "requests.nvidia.com/gpu=2",
                "requests.nvidia.com/gpu=0",
                "requests.nvidia.com/gpu=1",
            ),
            True,
            id="never-enough-of-a-device",
        ),
        pytest.param('no PriorityClass with name "x" was found', False, id="priority-class"),
        pytest.param("InvalidImageName: couldn't parse image", True, id="image-name"),
        pytest.param("init container v: InvalidImageName", True, id="image-name-of-others"),
        pytest.param(QUOTA.format("pods=1", "pods=5", "pods=5"), False, id="quota-is-full"),
        pytest.param(QUOTA.format("pods=1", "pods=0", "pods=0"), False, id="quota-of-nothing"),
        pytest.param(
            QUOTA.format("limits.cpu=4", "limits.cpu=0", "limits.cpu=2"), True, id="never-enough"
        ),
        pytest.param(
            QUOTA.format(
                "limits.memory=3Gi,pods=1", "limits.memory=1Gi,pods=1", "limits.memory=2G,pods=9"
            ),
            True,
            id="never-enough-of-one",
        ),
        pytest.param(
            QUOTA.format("limits.cpu=500m", "limits.cpu=1900m", "limits.cpu=2"), False, id="later"
        ),
        pytest.param("exceeded quota: in other words", False, id="quota-in-other-words"),
        pytest.param('serviceaccount "none" not found', False, id="service-account"),
        pytest.param('failed calling webhook "w": connection refused', False, id="webhook-down"),
        pytest.param("ErrImagePull: not found", False, id="pull"),
        pytest.param("CreateContainerConfigError: secret x not found", False, id="secret"),
        pytest.param("0/3 nodes are available", False, id="no-room"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_what_passes_by_itself(trouble: str, lasting: bool) -> None:
    assert lasts(trouble) is lasting
