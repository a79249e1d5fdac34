"""Trees of runs: templates that call each other, under troubles, with a separate interpreter."""
