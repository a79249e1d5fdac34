"""What GitOps tools see of our objects: the scripts of Argo CD, the expressions of Flux."""
