"""The whole error tree.

GatewayError
├── ConfigError            a setting, a rule pack or a lexicon is wrong
├── ChannelError
│   ├── Unauthorized       a push with a wrong signature, application id or time stamp
│   ├── Malformed          a push that says nothing the channel's format knows; names the field
│   ├── Oversized          a push beyond a published limit; names the field
│   ├── Conflict           the same message id or key with other content
│   └── Ignored            a kind of message that the carrier added later
├── DeliveryError
│   ├── TryLater           the destination may take it later
│   ├── Unreachable        this one cannot be told by this way, others can
│   └── Gone               the destination wants nothing more (HTTP 410)
├── StoreError             the store could not be reached or refused to write
└── NotAllowed             a step that the ticket's or incident's state forbids

Each error has a stable ``code`` and a message for operators that holds none of a citizen's words.
"""


class GatewayError(Exception):
    """Something went wrong in a way that the gateway knows."""

    code = "error"


class ConfigError(GatewayError):
    """A setting, a rule pack or a lexicon is wrong."""

    code = "config"


class ChannelError(GatewayError):
    """What came in cannot become a ticket as it stands."""

    code = "channel"


class Unauthorized(ChannelError):
    """A push with a wrong or missing signature, application id or time stamp."""

    code = "unauthorized"


class FieldError(ChannelError):
    """What came in breaks a rule of its format at one field.

    Attributes:
        field: Name of the field as the sender wrote it, ``body`` for the whole.
        detail: What is wrong and what to do, without the value itself.
    """

    code = "field"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail


class Malformed(FieldError):
    """A push that the channel's format does not allow."""

    code = "malformed"


class Oversized(FieldError):
    """A push beyond a published limit."""

    code = "oversized"


class Conflict(FieldError):
    """The same message id or idempotency key with other content."""

    code = "conflict"


class Ignored(ChannelError):
    """A kind of message that the carrier added later: taken, recorded, no ticket."""

    code = "ignored"


class DeliveryError(GatewayError):
    """An item did not reach its destination."""

    code = "delivery"


class TryLater(DeliveryError):
    """The destination may take the item later.

    Attributes:
        after_s: Seconds the destination asked to wait (``Retry-After``), else None.
    """

    code = "try_later"

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Unreachable(DeliveryError):
    """This item will never arrive by this way, others may: the citizen has left, a file is gone."""

    code = "unreachable"


class Gone(DeliveryError):
    """The destination wants nothing more: it is switched off and an operator is alarmed."""

    code = "gone"


class StoreError(GatewayError):
    """The store could not be reached or refused to write; nothing was acknowledged."""

    code = "store"


class NotAllowed(GatewayError):
    """A step that the state of the ticket or incident forbids.

    Attributes:
        rule: Name of the rule that forbids it.
    """

    code = "not_allowed"

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
