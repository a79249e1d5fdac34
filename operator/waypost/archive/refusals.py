"""Refusals of the API, as problem documents (RFC 9457)."""

from http import HTTPStatus

from waypost.ports.cluster import Obj


class Refused(Exception):
    """A request is not answered. The message is for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    def document(self) -> Obj:
        """The problem document."""
        title = HTTPStatus(self.status).phrase
        return {
            "type": "about:blank",
            "title": title,
            "status": self.status,
            "detail": self.message,
        }
