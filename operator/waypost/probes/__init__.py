"""Probes of ModelProviders and ToolServers: when one is due, its Job, what its result means.

`decide` is the entry; `runtime.probe_controller` performs its steps. Pure. May import `kube`,
`api` and `protocol`, never the engine of runs.
"""
