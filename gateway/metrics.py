"""Counters in Prometheus text format, names prefixed ``gateway_``."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from normalizer.schema import Ticket

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)


class Metrics:
    """Everything that is counted, in a registry of its own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self._accepted = Counter(
            "gateway_tickets", "Tickets stored.", ("channel", "urgency"), registry=registry
        )
        self._duplicates = Counter(
            "gateway_duplicates", "Repeats of a stored message.", ("channel",), registry=registry
        )
        self._rejected = Counter(
            "gateway_rejected",
            "Messages that were not taken, by error code.",
            ("channel", "code"),
            registry=registry,
        )
        self._judge = Histogram(
            "gateway_judge_seconds",
            "Time of the judge a text.",
            registry=registry,
            buckets=_SECONDS,
        )
        self._events = Counter(
            "gateway_events",
            "What happened inside: deliveries, retries, dead letters, alarms, reloads.",
            ("event", "where"),
            registry=registry,
        )
        self._gauges: dict[str, Gauge] = {}
        self._of_ticket: dict[tuple[str, str], Counter] = {}  #: looking labels up costs more

    def accepted(self, ticket: Ticket, judge_s: float) -> None:
        """Count a stored ticket."""
        labels = (ticket.channel.kind, ticket.urgency.value)
        counter = self._of_ticket.get(labels)
        if counter is None:
            counter = self._of_ticket[labels] = self._accepted.labels(*labels)
        counter.inc()
        self._judge.observe(judge_s)

    def duplicate(self, channel: str) -> None:
        """Count a repeat."""
        self._duplicates.labels(channel).inc()

    def rejected(self, channel: str, code: str) -> None:
        """Count a message that was not taken."""
        self._rejected.labels(channel, code).inc()

    def count(self, event: str, where: str = "", amount: float = 1) -> None:
        """Count something that happened inside."""
        self._events.labels(event, where).inc(amount)

    def set(self, name: str, value: float) -> None:
        """Set the gauge ``gateway_<name>``."""
        gauge = self._gauges.get(name)
        if gauge is None:
            gauge = self._gauges[name] = Gauge(
                f"gateway_{name}", f"Current {name.replace('_', ' ')}.", registry=self.registry
            )
        gauge.set(value)

    def text(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self.registry)
