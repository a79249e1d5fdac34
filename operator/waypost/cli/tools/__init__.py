"""Commands beside runs: doctor, schema, completion."""
