"""Reads an SQLite store on a connection of its own, which cannot write."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw

from gateway.store.commit import Answers
from gateway.store.read import Reader
from gateway.store.sql import load
from gateway.store.sqlite_file import connect, meaning

SQL = load("read", "sqlite_read", "accounts_read")


class SqliteReader(Reader):
    """The reading side of an SQLite store. Used by one thread at a time."""

    def __init__(self, path: Path, busy_s: float) -> None:
        self._path = path
        self._connection = connect(path, busy_s, write=False)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def run(self, questions: Sequence[Callable[[], Any]]) -> Answers:
        """Answer all questions from one state of the store."""
        results: list[Any] = []
        errors: dict[int, str] = {}
        try:
            self._connection.execute("BEGIN")
        except apsw.Error as error:
            text = meaning(error, self._path)
            return [None] * len(questions), dict.fromkeys(range(len(questions)), text)
        for position, question in enumerate(questions):
            try:
                results.append(question())
            except Exception as error:  # noqa: BLE001 - the reader outlives whatever is stored
                results.append(None)
                errors[position] = meaning(error, self._path)
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        return results, errors

    def rows(self, name: str, *bindings: Any) -> list[Any]:
        """Return all rows of a statement."""
        return self._connection.execute(SQL[name], bindings).fetchall()
