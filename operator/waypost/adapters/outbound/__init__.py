"""What services need that call addresses which others name: the model gateway and the notifier."""
