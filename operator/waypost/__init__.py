"""Waypost: durable AI-agent workflows on Kubernetes."""

__version__ = "0.1.0.dev0"
