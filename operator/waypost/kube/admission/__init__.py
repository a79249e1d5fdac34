"""The admission policy on Approvals, as the operator finds it. Imports `waypost.kube` and below."""
