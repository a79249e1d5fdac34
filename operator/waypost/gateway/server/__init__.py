"""The HTTP server of the gateways and of the services beside them: `connections` limits what
clients may hold open, `service` starts, serves and ends."""
