"""The loop that keeps runs moving: observe, read, decide, write the status, act.

`controller` is the loop, `cache` holds what the watch delivered, `reads` makes live reads,
`writes` performs decisions. Does I/O through `ports` only. May import `ports` and all below.
"""
