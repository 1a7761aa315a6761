"""Carrying a batch of changes out: all in one transaction, or each in its own."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from gateway.store.batch import Repeated

#: Results in order, and what went wrong by position; a result with an error is None.
Answers = tuple[list[Any], dict[int, str]]


class Transaction(Protocol):
    """What carries changes out together."""

    def __call__(self, ops: Sequence[Any], *, closely: bool) -> list[Any]:
        """Carry changes out in one transaction and return their results.

        ``closely``: each ticket is looked at for a repeat before the next is taken on; otherwise
        `Repeated` is raised where there was one. Whatever is raised, nothing was written.
        """
        ...


def carried_out(
    ops: Sequence[Any],
    transaction: Transaction,
    hopeless: tuple[type[BaseException], ...],
    meaning: Callable[[Exception], str],
) -> Answers:
    """Carry out all changes in one transaction, or, if one fails, each in its own.

    What has no error is durable on return; what has one left no trace.

    Args:
        ops: The changes.
        transaction: What carries some of them out.
        hopeless: Errors that no single change can be the cause of: trying the others alone is of
            no use.
        meaning: Returns what an error means, without any stored value.
    """
    try:
        try:
            return transaction(ops, closely=len(ops) == 1), {}
        except Repeated:
            return transaction(ops, closely=True), {}
    except Exception as error:  # noqa: BLE001 - the writer outlives whatever a change brings
        if len(ops) == 1 or isinstance(error, hopeless):
            return [None] * len(ops), dict.fromkeys(range(len(ops)), meaning(error))
    results: list[Any] = []
    errors: dict[int, str] = {}
    for position, op in enumerate(ops):
        (result,), failed = carried_out((op,), transaction, hopeless, meaning)
        results.append(result)
        if failed:
            errors[position] = failed[0]
    return results, errors
