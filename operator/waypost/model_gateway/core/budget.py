"""The share of the run's budget that an attempt may use: reserved before a call, settled after it.

A call is refused once what has been used and what is reserved by calls in progress reach the share.
So at most one call goes beyond it, however many a pod makes at the same time. The agent in the pod
counts the same, but code in that pod could make calls without it.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from waypost.model_gateway.core.refusals import CallRefusal, CallRefused

_ACCOUNTS: Final = 20_000

# Uid of the run, path of the node, round and attempt.
AttemptKey = tuple[str, str, int, int]


@dataclass(eq=False)
class Reservation:
    """The tokens of one call that is in progress."""

    tokens: int


@dataclass
class _Account:
    used: int = 0
    reserved: set[Reservation] = field(default_factory=set)


class Budgets:
    """What attempts have used, as far as this process knows."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[AttemptKey, _Account] = OrderedDict()

    def reserve(self, attempt: AttemptKey, *, share: int | None, tokens: int) -> Reservation:
        """Reserve the tokens of a call.

        Args:
            attempt: Whose call it is.
            share: The tokens that the attempt may use; None is without a limit.
            tokens: An estimate of those of this call.

        Raises:
            CallRefused: The share is used up or reserved.
        """
        account = self._accounts.setdefault(attempt, _Account())
        self._accounts.move_to_end(attempt)
        held = sum(one.tokens for one in account.reserved)
        if share is not None and account.used + held >= share:
            in_progress = f", {held} more are reserved by its calls in progress" if held else ""
            text = (
                f"share of the run's budget: {account.used} of {share} tokens are used{in_progress}"
            )
            raise CallRefused(CallRefusal.BUDGET, text)
        reservation = Reservation(tokens)
        account.reserved.add(reservation)
        self._forget()
        return reservation

    def settle(self, attempt: AttemptKey, reservation: Reservation, *, used: int) -> None:
        """A call has ended, and has used so many tokens."""
        account = self._accounts.get(attempt)
        if account is not None and reservation in account.reserved:
            account.reserved.remove(reservation)
            account.used += used

    def used(self, attempt: AttemptKey) -> int:
        """The tokens that an attempt has used."""
        account = self._accounts.get(attempt)
        return account.used if account is not None else 0

    def _forget(self) -> None:
        idle = (key for key, account in self._accounts.items() if not account.reserved)
        while len(self._accounts) > _ACCOUNTS and (oldest := next(idle, None)) is not None:
            del self._accounts[oldest]
            idle = (key for key, account in self._accounts.items() if not account.reserved)
