"""A single-node Kubernetes of our own making, for machines where kind has no image to start."""
