"""What happens when a node has failed, or must be undone: retries and compensations."""
