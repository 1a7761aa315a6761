"""The process that checks senders."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import dns.exception
import dns.resolver
from dns.rdatatype import RdataType

from channels.email.authenticity import findings_of
from channels.email.claims import Claim, Finding
from channels.email.frames import serve

#: Seconds that one name may take.
_LOOKUP_S = 2.0


@lru_cache(maxsize=4)
def resolver_of(nameservers: tuple[str, ...]) -> dns.resolver.Resolver:
    """Return what asks these servers, or the machine's where there are none."""
    if not nameservers:
        found = dns.resolver.Resolver()
    else:
        found = dns.resolver.Resolver(configure=False)
        pairs = [
            each.rpartition(":") if each.count(":") == 1 else (each, "", "53")
            for each in nameservers
        ]
        found.nameservers = [host for host, _, _ in pairs]
        found.nameserver_ports = {host: int(port) for host, _, port in pairs}
    found.cache = dns.resolver.LRUCache(5000)
    return found


def records(resolver: dns.resolver.Resolver, name: str, kind: str) -> Sequence[Any]:
    """Return the records of a name; none where there are none. Raises `TimeoutError`."""
    try:
        answers = resolver.resolve(name, kind, lifetime=_LOOKUP_S, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.Timeout, dns.resolver.NoNameservers):
        raise TimeoutError(name) from None
    except dns.exception.DNSException:
        return []  # a name that none can have
    return [_plain(each) for each in answers]


def _plain(record: Any) -> Any:
    match record.rdtype:
        case RdataType.TXT:
            return list(record.strings)
        case RdataType.MX:
            return record.preference, record.exchange.to_text(omit_final_dot=True)
        case RdataType.PTR:
            return record.target.to_text(omit_final_dot=True)
    return record.address


def findings(claim: Claim) -> tuple[Finding, ...]:
    """Return what DNS says of a mail's sender."""
    resolver = resolver_of(claim.nameservers)
    return findings_of(claim, lambda name, kind: records(resolver, name, kind))


if __name__ == "__main__":
    serve(Claim, findings, memory=1_000_000_000, last_s=60)
