"""Manifests of the Jobs and pods that run attempts.

`attempt_job` is the entry; `pod` is the pod, `output_sidecar` the sidecar of container nodes,
`endpoints` the addresses and credentials of providers. May import `kube`, `api`, `protocol`.
"""
