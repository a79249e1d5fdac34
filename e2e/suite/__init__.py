"""What Waypost promises, shown on a real cluster with the chart installed.

Reading order: `build` (workflows), `kube` (the cluster), `space` (one namespace and its runs),
`ledger` (counts program starts), `operators` (kill, freeze, restart), then the tests.
"""
