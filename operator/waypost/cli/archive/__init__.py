"""Archived runs for commands: lists, and the document of a run as what the readers of a run need.

Imports nothing large; the HTTP client is imported when it is needed.
"""
