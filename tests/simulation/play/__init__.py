"""One play of a scenario on a simulated cluster: operators, people and troubles."""
