"""A simulation of maps whose items ask people: their answers, rounds, and what goes wrong."""
