"""What one seed stands for: the workflow, its manifest, and what its programs do."""
