"""How a command reaches the cluster: which one, how errors are explained, how a run is changed.

`kubeconfig` chooses a context, `cluster` connects and explains errors, `changes` patches a run,
`pages` reads long lists, `definitions` and `people` what belongs to a run and to the user.
Imports nothing else of `waypost.cli` except `errors` and the reader of manifests.
"""
