"""Counters in Prometheus text format."""

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics
from normalizer.schema import Urgency
from tests.gateway.world import ticket


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what a scraper reads, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[name, tuple(sorted(labels.items()))]


def test_tickets_are_counted_by_channel_and_urgency() -> None:
    """Each stored ticket counts once, and the judge's time with it."""
    metrics = Metrics()
    metrics.accepted(ticket(), 0.0002)
    metrics.accepted(ticket(), 0.002)
    metrics.accepted(ticket(urgency=Urgency.EMERGENCY), 0.3)
    assert value(metrics, "gateway_tickets_total", channel="web", urgency="normal") == 2
    assert value(metrics, "gateway_tickets_total", channel="web", urgency="emergency") == 1
    assert value(metrics, "gateway_judge_seconds_count") == 3
    assert value(metrics, "gateway_judge_seconds_bucket", le="0.00025") == 1
    assert abs(value(metrics, "gateway_judge_seconds_sum") - 0.3022) < 1e-9


def test_repeats_and_refused_pushes_are_counted_apart() -> None:
    """A flood of repeats does not look like one of requests."""
    metrics = Metrics()
    metrics.duplicate("webhook")
    metrics.rejected("webhook", "unauthorized")
    metrics.rejected("webhook", "unauthorized")
    assert value(metrics, "gateway_duplicates_total", channel="webhook") == 1
    assert value(metrics, "gateway_rejected_total", channel="webhook", code="unauthorized") == 2


def test_what_happens_inside_is_counted_by_event_and_place() -> None:
    """A batch of deliveries counts as many."""
    metrics = Metrics()
    metrics.count("delivered", "office/ordinary", 64)
    metrics.count("delivered", "office/ordinary")
    metrics.count("reloaded")
    assert value(metrics, "gateway_events_total", event="delivered", where="office/ordinary") == 65
    assert value(metrics, "gateway_events_total", event="reloaded", where="") == 1


def test_a_gauge_holds_the_last_value() -> None:
    """Setting it again makes no second one."""
    metrics = Metrics()
    metrics.set("store_due", 5)
    metrics.set("store_due", 3)
    assert value(metrics, "gateway_store_due") == 3


def test_two_gateways_in_one_process_count_apart() -> None:
    """A registry of its own: tests and tools do not disturb one another."""
    one, other = Metrics(), Metrics()
    one.count("reloaded")
    assert ("gateway_events_total", (("event", "reloaded"), ("where", ""))) not in samples(other)


def test_every_name_is_the_gateways() -> None:
    """All that is scraped begins with ``gateway_``, and no label holds a citizen's data."""
    metrics = Metrics()
    metrics.accepted(ticket(), 0.001)
    names = {name for name, _ in samples(metrics)}
    assert all(name.startswith("gateway_") for name in names)
    assert "13800138000" not in metrics.text().decode()
