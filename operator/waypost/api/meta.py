"""Names that stand on objects: group, labels, annotations, finalizer, condition types.

Anything another program may match on lives here once, so that a rename is one line and a review.
"""

from typing import Final

GROUP: Final = "waypost.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "waypost"

# Labels hold values of at most 63 characters, so the run is named by its uid;
# the full names are in annotations.
LABEL_RUN: Final = f"{GROUP}/run"  # uid of the AgentWorkflow
LABEL_NODE: Final = f"{GROUP}/node"  # node path, "/" as "."
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"  # attempt number, decimal
LABEL_ROUND: Final = f"{GROUP}/round"

ANNOTATION_RUN_NAME: Final = f"{GROUP}/run-name"
ANNOTATION_PATH: Final = f"{GROUP}/path"
ANNOTATION_REQUEST: Final = f"{GROUP}/request"  # the request document, while it is small
ANNOTATION_INPUT_PREFIX: Final = f"input.{GROUP}/"  # one per input key, container nodes
ANNOTATION_REQUEST_DIGEST: Final = f"{GROUP}/request-digest"

LABEL_PROBE: Final = f"{GROUP}/probe"  # uid of the ModelProvider or ToolServer that is probed
ANNOTATION_PROBE: Final = f"{GROUP}/probe-request"  # what a probe is asked to do
ANNOTATION_PROBE_AT: Final = f"{GROUP}/probe-at"  # on a probed resource: any new value asks anew

FINALIZER_RESULT: Final = f"{GROUP}/result"  # on pods: the result is not yet in status

FIELD_MANAGER: Final = "waypost-operator"
NODE_CONTAINER: Final = "node"  # the container of a pod that does the node's work


class Condition:
    """Condition types of our kinds (Kubernetes API conventions, kstatus)."""

    ACCEPTED: Final = "Accepted"
    SUCCEEDED: Final = "Succeeded"
    FINISHED: Final = "Finished"
    AWAITING_APPROVAL: Final = "AwaitingApproval"
    RECONCILING: Final = "Reconciling"
    STALLED: Final = "Stalled"
    ANSWER_VALID: Final = "AnswerValid"
    IDENTITY_VERIFIED: Final = "IdentityVerified"
    EXPIRED: Final = "Expired"
    SET_ASIDE: Final = "SetAside"  # the operator cannot serve the run
    READY: Final = "Ready"  # of a ModelProvider or a ToolServer
