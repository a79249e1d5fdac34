"""Rules for fields of nodes that several kinds share. May import what other rules may import."""
