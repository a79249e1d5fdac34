"""AgentWorkflowSchedules: which times have come, which run starts, what the status says.

`decide.step` is the entry; `runtime.schedules` carries out what it says. Pure: no clock, no I/O.
May import `compiler`, `kube`, `api` and `protocol`, never the engine of runs.
"""
