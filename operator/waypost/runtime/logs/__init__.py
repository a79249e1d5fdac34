"""Keeps logs of pods that have ended, beside the runs: no pass waits for it, and it fails none."""
