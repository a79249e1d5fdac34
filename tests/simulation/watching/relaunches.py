"""Jobs that are made a second time: the one way in which no operator can prevent a double start.

A person deletes the Job of an attempt. Then another operator, frozen since before the deletion,
creates it under the same name while its fence still holds (A3), or a proxy repeats the request.
Nothing else is excused: the second creator is not the first one, and has neither written nor read
the run since the deletion.
"""


class Relaunches:
    """Follows who creates Jobs, and who deletes them, by name of the Job."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[object, float]] = {}
        self._creators: dict[str, object] = {}
        self._deleted: dict[str, float] = {}

    def sent(self, name: str, operator: object, *, entitled_at: float) -> None:
        """Note that an operator is about to create a Job.

        Args:
            name: The name of the Job.
            operator: The operator.
            entitled_at: When it last wrote or read the run.
        """
        self._sent[name] = operator, entitled_at

    def repeated(self, name: str) -> None:
        """Note that a proxy is about to repeat the last request for a Job, if there was one."""
        if name in self._sent:
            self._sent[name] = object(), self._sent[name][1]

    def deleted(self, name: str, now: float) -> None:
        """Note that a Job is being deleted, or gone."""
        self._deleted.setdefault(name, now)

    def created(self, name: str) -> bool:
        """Note that a Job was created; whether it is a second one that no operator can prevent."""
        operator, entitled_at = self._sent.get(name, (None, float("inf")))
        first, self._creators[name] = self._creators.get(name), operator
        deleted = self._deleted.pop(name, None)
        return deleted is not None and operator is not first and entitled_at <= deleted
