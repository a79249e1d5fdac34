"""A run as one document: nodes, attempts and where their time went, items, what it waits for."""
