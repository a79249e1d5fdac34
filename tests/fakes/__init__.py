"""Doubles of the outside world for fast tests: a strict Kubernetes API server in memory, its
controllers and kubelet, and clocks that the test owns. Start at `cluster` and `workloads`."""
