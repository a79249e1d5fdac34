"""Kept logs: what is kept of the log of a pod, as documents of NodeRecords. No I/O."""
