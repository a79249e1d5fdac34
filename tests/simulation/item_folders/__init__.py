"""Maps whose items make folders, and nodes that take them (VA1, VA2, T11)."""
