"""Who a mail says it is from, and what SPF, DKIM and DMARC say to that: values."""

from normalizer.schema import Value

#: Addresses that are never a sender's: loopback, private and link-local ones.
OURS = (
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    *("::1/128", "fc00::/7", "fe80::/10"),
)


class Claim(Value, frozen=True, kw_only=True):
    """A mail whose sender is to be checked."""

    raw: bytes
    sender: str  #: of the envelope; empty is the null one
    domain: str  #: of the From field
    peer: str | None = None  #: the address that handed it over
    helo: str | None = None  #: the name that it gave
    networks: tuple[str, ...] = OURS  #: of our own servers: their addresses are passed over
    nameservers: tuple[str, ...] = ()  #: ``address`` or ``address:port``; empty: the machine's


class Finding(Value, frozen=True, kw_only=True):
    """What one method says, in the words of RFC 8601 §2.7."""

    method: str  #: spf, dkim or dmarc
    result: str
    about: str  #: ``smtp.mailfrom=qq.example``


def told(findings: tuple[Finding, ...]) -> str:
    """Return findings as an Authentication-Results field has them."""
    return "; ".join(f"{f.method}={f.result} {f.about}".strip() for f in findings)
