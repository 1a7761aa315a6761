"""What those who follow the store are told by it, and tell it."""

from datetime import datetime

from normalizer.schema import Limits, Value


class News(Value, frozen=True, kw_only=True):
    """What may bring a limit near: a new ticket, or a step that sets or frees a limit."""

    seq: int  #: of the event
    ticket: int  #: sequence number of the ticket's first event
    at: datetime
    limits: Limits | None  #: of a new ticket; None: a step was taken, look at the whole ticket


class Unwatched(Value, frozen=True, kw_only=True):
    """News that nobody has seen to yet."""

    news: tuple[News, ...]  #: oldest first
    upto: int  #: the newest event among which they were found
    more: bool  #: there may be others behind it


class Look(Value, frozen=True, kw_only=True):
    """When a ticket is to be looked at again."""

    ticket: int  #: sequence number of its first event
    at: datetime | None  #: None: not before another step


class Moved(Value, frozen=True, kw_only=True):
    """An incident to which something has happened."""

    incident: str
    version: int  #: of its newest event
    is_open: bool
    ladder_at: datetime | None  #: when its ladder's clock next runs
