"""What services need that call addresses which others name: the model gateway, the
notifier and the ingress."""
