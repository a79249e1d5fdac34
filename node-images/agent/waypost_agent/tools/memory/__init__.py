"""Tools on the memory of a run. Imports `waypost.protocol` and the modules of tools beside it."""
