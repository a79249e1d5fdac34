"""What the webhook answers: pure functions of an AdmissionReview."""
