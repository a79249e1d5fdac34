"""What happens next to a run. Pure: no I/O, clock, randomness or logging.

`decide` computes the next status and the actions, `reads` the live reads it still needs, `start`
starts one node. May import `compiler`, `expressions`, `kube`, `api` and `protocol`. Inside:
decide > start, reads > run > attempts, rounds > budget > nodes > scheduling > state.
"""
