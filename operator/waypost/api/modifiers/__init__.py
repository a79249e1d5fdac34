"""The fields that make a node run several times: one module for each."""
