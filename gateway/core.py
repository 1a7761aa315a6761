"""What everything that takes in a citizen's words works with."""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.clock import Clock
from gateway.compose import Rules
from gateway.letters import Letters
from gateway.metrics import Metrics
from gateway.ports import Outbox, Reporter
from gateway.store.base import Store
from gateway.talk.answering import Answering
from gateway.talk.receipts import Receipts


@dataclass(frozen=True, slots=True)
class Core:
    """The parts that intake, additions and citizens' steps share."""

    store: Store
    rules: Callable[[], Rules]  #: in force
    clock: Clock
    reporter: Reporter
    outbox: Outbox
    metrics: Metrics
    answering: Answering = field(default_factory=Answering)
    letters: Letters = field(default_factory=Letters)

    @property
    def receipts(self) -> Receipts:
        """What makes receipts."""
        return Receipts(self.store.secret, self.rules().zone)
