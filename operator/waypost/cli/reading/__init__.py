"""Reads a run and what belongs to it, and describes it. Imports `connection` and `views`.

Commands and the web interface show the same documents, made here.
"""
