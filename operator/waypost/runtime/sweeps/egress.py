"""When NetworkPolicies that nothing uses are removed: seen unused twice, ten minutes apart.

Once is not enough: an operator that has just lost the lead may have read a policy and be about to
create the Job. Its right to do so ends after ten seconds, and the second look sees that Job.
"""

from typing import Final

from waypost.ports.telemetry import Telemetry
from waypost.runtime.egress.policies import EgressPolicies
from waypost.runtime.sweeps.rounds import RepeatedSweep

EVERY: Final = 600.0  # seconds


class EgressSweep(RepeatedSweep):
    """Looks at the policies of all namespaces that the operator serves."""

    def __init__(
        self,
        *,
        policies: EgressPolicies,
        telemetry: Telemetry,
        namespaces: tuple[str | None, ...],
    ) -> None:
        super().__init__(
            what="policies",
            every=EVERY,
            unused=policies.unused,
            remove=policies.remove,
            telemetry=telemetry,
            namespaces=namespaces,
        )
