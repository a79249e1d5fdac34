"""Benchmarks on a real cluster: figures against a baseline of the same run, never asserts."""
