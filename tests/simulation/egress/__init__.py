"""A simulation of egress: policies of pods, operators that die and freeze, people that delete."""
