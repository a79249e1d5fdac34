"""The judgement of a whole run: what was seen against what the reference says."""
