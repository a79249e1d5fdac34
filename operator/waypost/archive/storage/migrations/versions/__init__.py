"""One module for each change of the tables, never edited after a release."""
