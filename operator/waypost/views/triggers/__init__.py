"""What starts runs, as documents: the rows of schedules and of deliveries."""
