"""What the notifier decides, pure: occurrences, messages, signatures, and what is due when.

It may import `waypost.kube`, `waypost.api` and `waypost.protocol`.
"""
