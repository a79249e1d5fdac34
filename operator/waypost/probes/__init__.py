"""Probes: what is asked of ModelProviders and ToolServers, and what the answers mean. Pure."""
