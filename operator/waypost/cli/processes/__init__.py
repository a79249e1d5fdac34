"""Commands that images start, and the servers for tests: operator, gateways, uninstall, dev."""
