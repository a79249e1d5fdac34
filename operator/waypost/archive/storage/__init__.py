"""Documents in a database: the only place for SQLAlchemy and Alembic (ADR 0057)."""
