"""What a run has used of its budget, and the share that each running attempt has reserved.

May import `engine.nodes`, `scheduling` and `state`, and what the engine imports.
"""
