"""Rounds: begin one, apply the outputs and skips given in `spec.rerun`, stop leftover attempts.

May import `engine.budget` and below, and what the engine imports.
"""
