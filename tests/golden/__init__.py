"""Golden status documents (T8): what earlier releases left in a cluster, decided again."""
