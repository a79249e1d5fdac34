"""The migrations of the tables. Alembic runs `env.py` and the modules in `versions` by their
path."""
