"""Deterministic simulation: random workflows, random troubles, one seed (docs/simulation.md)."""
