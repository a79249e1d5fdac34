"""What runs remember, as documents."""
