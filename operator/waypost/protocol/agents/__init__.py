"""What operator and pods exchange about agents alone."""
