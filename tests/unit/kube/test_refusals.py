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
        pytest.param(
            'RunContainerError: failed to start: exec: "/work/a.sh": permission denied: unknown',
            True,
            id="a-program-that-nobody-may-execute",
        ),
        pytest.param(
            'unable to start container process: exec: "/a": stat /a: no such file or directory',
            True,
            id="no-such-program-by-its-path",
        ),
        pytest.param('exec: "/work": is a directory: unknown', True, id="a-folder-for-a-program"),
        pytest.param(
            "CreateContainerError: container init was OOM-killed (memory limit too low?): unknown",
            True,
            id="less-memory-than-a-container-takes",
        ),
        pytest.param(
            'ErrImagePull: image operating system "windows" cannot be used on this platform',
            True,
            id="operating-system",
        ),
        pytest.param(
            "ErrImagePull: no matching manifest for linux/arm64/v8 in the manifest list entries",
            True,
            id="platform-in-other-words",
        ),
        pytest.param(
            'pods "x" is forbidden: no providers available to validate pod request',
            True,
            id="openshift-without-a-constraint",
        ),
        pytest.param(
            'pods "x" is forbidden: the integer value of priority (0) must not be provided in pod '
            "spec; priority admission controller computed 1 from the given PriorityClass name",
            True,
            id="a-priority-beside-its-class",
        ),
        pytest.param(
            "ErrImagePull: toomanyrequests: You have reached your pull rate limit",
            False,
            id="rate-of-pulls",
        ),
        pytest.param(
            'failed calling webhook "x.denied.example": x509: certificate has expired',
            False,
            id="certificate-of-a-webhook",
        ),
        pytest.param(
            "failed quota: q: status unknown for quota: q, resources: limits.cpu",
            False,
            id="quota-that-is-not-counted-yet",
        ),
        pytest.param(
            "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
            False,
            id="quota-of-a-class",
        ),
        pytest.param(
            'Operation cannot be fulfilled on resourcequotas "q": the object has been modified',
            False,
            id="quota-in-use",
        ),
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
