"""The probe of a pod's isolation: an init container that ends once the network policy holds."""

from typing import Final

PROBE: Final = "isolation-probe"  # name of the init container
PROBE_COMMAND: Final = ("python3", "-m", "waypost_node.isolation_probe")
# Targets as host:port, separated by commas: connections that must fail, and that must succeed.
MUST_FAIL: Final = "WAYPOST_MUST_FAIL"
MUST_REACH: Final = "WAYPOST_MUST_REACH"
PATIENCE: Final = 30.0  # seconds until the probe gives up
