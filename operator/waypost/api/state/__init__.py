"""Parts of a status that stand in several places of it."""
