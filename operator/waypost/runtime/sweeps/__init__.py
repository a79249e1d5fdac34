"""Sweeps: what no status names any more is removed. `jobs`, `slots`, `egress` and `artifacts` each
look for one kind of object, `rounds` has what they share, `together` runs them on the leader."""
