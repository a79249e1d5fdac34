"""A simulation of agents that ask people before they call tools (VG1 to VG4)."""
