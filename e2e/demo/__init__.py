"""`python -m e2e.demo`: release notes of this repository, a killed operator, and a human."""
