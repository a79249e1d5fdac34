"""Commands that change something in the cluster: run, rerun, approve, cancel, cleanup."""
