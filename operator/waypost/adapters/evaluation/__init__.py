"""The child process that evaluates and validates users' text, and the thread that waits for it."""
