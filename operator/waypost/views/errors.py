"""The error of objects that cannot be shown."""


class CannotShow(Exception):
    """An object does not have the known form. The message says which one, and what is wrong."""
