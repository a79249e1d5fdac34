"""`spec.memory`: its rules, and the types of what expressions read of it. Imports schemas and
expressions only."""
