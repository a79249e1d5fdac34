"""Commands that images start, and the servers for tests: operator, gateway, uninstall, dev."""
