"""Events and the nodes that wait for them, under troubles: a simulation beside the others."""
