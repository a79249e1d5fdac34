"""Many runs at once on simulated machines, beside Jobs made by hand: how fast they end, and what
each costs the API server, etcd and the operator."""
