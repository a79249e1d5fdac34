"""Faults on a real cluster, and judges that are independent of the operator."""
