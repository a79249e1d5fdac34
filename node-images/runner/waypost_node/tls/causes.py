"""What caused an error: HTTP clients wrap those of TLS and of the socket."""


def causes(error: BaseException) -> list[BaseException]:
    """The error, what caused it, and so on; the error comes first."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
