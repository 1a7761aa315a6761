"""Reads a PostgreSQL store on a connection of its own."""

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from channels.base import Entry
from gateway.store.commit import Answers
from gateway.store.ops import from_us
from gateway.store.postgres_link import BROKEN, Link, asked, meaning
from gateway.store.read import Reader
from gateway.store.watching import Moved

_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


class PostgresReader(Reader):
    """The reading side of a PostgreSQL store. Used by one thread at a time."""

    def __init__(self, url: str) -> None:
        self._link = Link(url, asked("read", "postgres_read", "accounts_read"))

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()

    def run(self, questions: Sequence[Callable[[], Any]]) -> Answers:
        """Answer all questions from one state of the store; once more if the connection breaks."""
        try:
            try:
                return self._answers(questions)
            except BROKEN:
                self._link.drop()
                return self._answers(questions)
        except (*BROKEN, asyncpg.PostgresError) as error:
            self._link.drop()
            text = meaning(error, self._link.name)
            return [None] * len(questions), dict.fromkeys(range(len(questions)), text)

    def _answers(self, questions: Sequence[Callable[[], Any]]) -> Answers:
        link = self._link
        link.ensure()
        results: list[Any] = []
        errors: dict[int, str] = {}
        link.execute(_BEGIN)
        for position, question in enumerate(questions):
            try:
                results.append(question())
            except BROKEN:
                raise
            except Exception as error:  # noqa: BLE001 - the reader outlives whatever is stored
                results.append(None)
                errors[position] = meaning(error, link.name)
                if isinstance(error, asyncpg.PostgresError):
                    link.execute(f"ROLLBACK; {_BEGIN}")  # it refuses the others otherwise
        link.execute("ROLLBACK")
        link.well()
        return results, errors

    def rows(self, name: str, *bindings: Any) -> list[Any]:
        """Return all rows of a statement."""
        return self._link.rows(name, *bindings)

    def shared(self, name: str) -> Entry | None:
        """Return the value that all gateways see under a name."""
        rows = self.rows("shared", name)
        return Entry(value=rows[0][1], version=rows[0][0]) if rows else None

    def moved(self, since: int | None) -> tuple[list[Moved], int]:
        """Return the incidents that have changed behind an event, and the newest event there is."""
        head: int = self.rows("head")[0][0]
        rows = [] if since is None else self.rows("incidents_moved", since)
        return [
            Moved(
                incident=incident,
                version=version,
                is_open=state != "closed",
                ladder_at=None if ladder_at is None else from_us(ladder_at),
            )
            for incident, version, state, ladder_at in rows
        ], head
