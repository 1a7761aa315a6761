"""The benchmark's figures as a Markdown table."""

from collections.abc import Iterator, Mapping
from typing import Any

#: What an emergency meets, by the name of its measurement.
_LOADS = {
    "quiet": "alone, 50/s",
    "at_1000": "at 1,000 requests/s",
    "saturated": "saturated",
    "at_1000_processes": "at 1,000 requests/s, three processes",
    "saturated_processes": "saturated, three processes",
    "at_1000_postgres": "at 1,000 requests/s, PostgreSQL, two processes",
    "saturated_postgres": "saturated, PostgreSQL, two processes",
}
_MODES = {
    "thread": "one process",
    "process": "three processes",
    "postgres": "PostgreSQL, one process",
    "postgres_reading": "PostgreSQL, two processes",
}


def rows(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| what | figure | beside the bare handler |"
    yield "|---|---|---|"
    accepting = figures["accepting"]
    yield f"| bare aiohttp handler that answers 202 | {accepting['bare_per_second']:,.0f}/s | 1.00 |"
    for name, label in _MODES.items():
        if (one := accepting.get(name)) is None:
            continue
        yield f"| accepted, {label} | {one['per_second']:,.0f}/s | {one['ratio']:.2f} |"
        yield (
            f"| … the judge's time taken out | {one['per_second_without_judge']:,.0f}/s "
            f"| {one['ratio_without_judge']:.2f} |"
        )
        yield (
            f"| … p50 / p99 | {one['p50_ms']:.1f} / {one['p99_ms']:.1f} ms "
            f"| p99 {one['p99_ratio']:.2f} times |"
        )
        yield f"| … the judge a text, wall time | {one['judge_us']:.0f} µs | |"
        yield f"| … peak memory; answers that were not 201 | {one['peak_mib']:.0f} MiB; {one['not_201']} | |"
    for name, one in figures["emergencies"].items():
        yield (
            f"| emergency, sent → desk's consumer, {_LOADS[name]} "
            f"| p50 {one['p50_ms']:.1f}, p99 {one['p99_ms']:.1f} ms ({one['seen']} of {one['sent']}) | |"
        )
    yield f"| events pushed, from a backlog | {figures['pushing']['per_second']:,.0f}/s | |"
    judge = figures["judging"]
    yield (
        f"| judge alone | {judge['per_second']:,.0f} texts/s, "
        f"p50 {judge['p50_us']:.0f}, p99 {judge['p99_us']:.0f} µs | |"
    )
    for channel, found in figures.get("channels", {}).items():
        for name, value in found.items():
            yield f"| {channel}: {name.replace('_', ' ')} | {value:,.1f} | |"
    kills = figures["kills"]
    yield (
        f"| killed {kills['kills']} times while accepting | {kills['answered']:,} answered 201, "
        f"{kills['lost']} lost, {kills['doubled']} doubled | |"
    )
