"""The archive: the service that keeps finished runs after they have left the cluster
(docs/history.md).

`core` has the document of a run and what a list can be filtered by, pure; `storage` keeps documents
in SQLite or PostgreSQL; `archiver` finds finished runs and reads what belongs to them; `access`
asks the API server what a caller may read; `app` is the HTTP interface, `main` the composition
root. Only `storage` imports SQLAlchemy and Alembic. It never imports `waypost.engine` or
`waypost.runtime`.
"""
