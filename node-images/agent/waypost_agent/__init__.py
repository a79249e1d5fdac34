"""The model loop of agent nodes, run in their pods by the runner."""
