"""Model providers: clients, retries of busy providers, answers and the usage that they report.

Imports `waypost.protocol`, `waypost_node` and the modules of this image beside the loop.
"""
