"""Random graphs of nodes that pass folders to each other (VA1)."""
