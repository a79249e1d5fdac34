"""What `isolation` of a node changes of its launch.

Imports `engine.state`, and the compiler and manifests below the engine.
"""
