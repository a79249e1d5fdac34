"""From a seed to a scenario: a module for each construct, drawn separately."""
