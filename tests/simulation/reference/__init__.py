"""The reference interpreter (T11): how a run must end, by docs/semantics.md."""
