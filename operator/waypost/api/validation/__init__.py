"""What the models refuse, for people."""
