"""SPF, DKIM and DMARC of a mail: a label for whoever reads the ticket, never a reason to refuse it.

Run in a process of its own (`verifier`): the libraries block, and take as long as a sender likes.

Sources: RFC 7208 (SPF), RFC 6376 (DKIM), RFC 7489 §3.1 and §6.6 (DMARC), RFC 8601 §2.7 (words).
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from ipaddress import ip_address, ip_network
from typing import Any

import dkim
import spf
from authheaders.dmarc_lookup import DMARCException, answer_to_dict
from publicsuffix2 import PublicSuffixList

from channels.email.claims import Claim, Finding
from channels.email.headers import every, fields, split

#: Returns the records of a name and a kind as pyspf wants them: a text as its octet strings, an
#: address or a name as text, an exchange as a pair. Raises `TimeoutError` where nobody answered.
Lookup = Callable[[str, str], Sequence[Any]]

#: Signatures that are looked at; a mail may have hundreds.
SIGNATURES = 3
_RELAYS = 10
#: What the libraries raise on words that nobody should send.
_STUMBLES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_FROM = re.compile(r"from\s+(\S{1,255})(.{0,1000}?)(?:\sby\s|$)", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"[\[(](?:IPv6:)?([0-9a-fA-F:.]{3,45})[\])]", re.IGNORECASE)

#: What the client called itself, where a server writes that too: it may look like an address.
_CLAIMED = re.compile(r"\b(?:helo|ehlo)[\s=]+\S+", re.IGNORECASE)


def findings_of(claim: Claim, lookup: Lookup) -> tuple[Finding, ...]:
    """Return what the three methods say, one after another."""
    by_spf, by_dkim = _spf(claim, lookup), _dkim(claim.raw, lookup)
    return (by_spf, *by_dkim, _dmarc(claim.domain, by_spf, by_dkim, lookup))


def origin(claim: Claim) -> tuple[str, str] | None:
    """Return the address and the name of the first server that is none of ours; None: not known.

    Our own servers put their Received fields on top, so the first strange address from there is
    the one that ours saw; what stands below it may be invented.
    """
    ours = [ip_network(each) for each in claim.networks]
    seen = [(claim.peer or "", claim.helo or "")]
    for value in every(fields(split(claim.raw)[0]), "received")[:_RELAYS]:
        found = _FROM.match(value.decode("utf-8", "replace"))
        if found is not None:
            written = _ADDRESS.findall(_CLAIMED.sub("", found[2])) or _ADDRESS.findall(found[1])
            seen += [(address, found[1]) for address in written]
    for text, name in seen:
        try:
            address = ip_address(text)
        except ValueError:
            continue
        address = getattr(address, "ipv4_mapped", None) or address
        if not any(address in network for network in ours):
            return str(address), name.strip("[]()")
    return None


class _Query(spf.query):  # type: ignore[misc] # the library has no types
    """A check of SPF that asks where it is told to."""

    def __init__(self, lookup: Lookup, **claimed: Any) -> None:
        self._lookup = lookup
        super().__init__(**claimed)

    def dns(self, name: str, qtype: str, cnames: Any = None, ignore_void: bool = False) -> Any:
        """Return records. Raises the library's errors, by which it tells its results."""
        name = str(name).rstrip(".").lower()
        if not all(0 < len(label) < 64 for label in name.split(".")):
            return []
        if (name, qtype) not in self.cache:
            try:
                self.cache[name, qtype] = list(self._lookup(name, qtype))
            except TimeoutError:
                raise spf.TempError("DNS does not answer") from None
        found = self.cache[name, qtype]
        if not found and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many names that are not there")
        return found


def _spf(claim: Claim, lookup: Lookup) -> Finding:
    found = origin(claim)
    if found is None:
        return Finding(method="spf", result="none", about="")
    address, helo = found
    try:
        result, _, _ = _Query(lookup, i=address, s=claim.sender, h=helo).check()
    except _STUMBLES:
        result = "permerror"
    domain = claim.sender.rpartition("@")[2]
    about = f"smtp.mailfrom={domain}" if domain else f"smtp.helo={helo}"
    return Finding(method="spf", result=result, about=about)


def _dkim(raw: bytes, lookup: Lookup) -> tuple[Finding, ...]:
    count = len(every(fields(split(raw)[0]), "dkim-signature"))
    if not count:
        return (Finding(method="dkim", result="none", about=""),)
    return tuple(_signature(raw, place, lookup) for place in range(min(count, SIGNATURES)))


def _signature(raw: bytes, place: int, lookup: Lookup) -> Finding:
    def key(name: bytes, timeout: int = 0) -> bytes | None:
        del timeout
        found = lookup(name.decode("ascii", "replace").rstrip("."), "TXT")
        return b"".join(found[0]) if found else None

    signed = dkim.DKIM(raw)
    try:
        result = "pass" if signed.verify(place, dnsfunc=key) else "fail"
    except TimeoutError:
        result = "temperror"
    except dkim.ValidationError as error:
        result = "fail" if "hash" in str(error) else "permerror"
    except (dkim.DKIMException, *_STUMBLES):
        result = "permerror"
    domain = signed.signature_fields.get(b"d", b"").decode("ascii", "replace").lower()
    return Finding(method="dkim", result=result, about=f"header.d={domain}")


def _dmarc(domain: str, by_spf: Finding, by_dkim: Sequence[Finding], lookup: Lookup) -> Finding:
    def says(result: str) -> Finding:
        return Finding(method="dmarc", result=result, about=f"header.from={domain}")

    if not domain:
        return says("none")
    try:
        policy = _policy(domain, lookup) or _policy(_organisation(domain), lookup)
    except TimeoutError:
        return says("temperror")
    except (DMARCException, *_STUMBLES):
        return says("permerror")
    if not policy.get("p"):
        return says("none")
    strict = {"spf": policy.get("aspf") == "s", "dkim": policy.get("adkim") == "s"}
    passed = [each for each in (by_spf, *by_dkim) if each.result == "pass"]
    if any(_aligned(each, domain, strict=strict[each.method]) for each in passed):
        return says("pass")
    # A failure is no proof while one of the two could not be looked up: RFC 7489 §6.6.2.
    unsure = any(each.result == "temperror" for each in (by_spf, *by_dkim))
    return says("temperror" if unsure else "fail")


def _policy(domain: str, lookup: Lookup) -> dict[str, str]:
    """Return what a domain wants done; empty where it says nothing, or says it twice."""
    texts = [
        b"".join(each).decode("utf-8", "replace") for each in lookup(f"_dmarc.{domain}", "TXT")
    ]
    found = [text for text in texts if text.startswith("v=DMARC1")]
    return dict(answer_to_dict(found[0])) if len(found) == 1 else {}


def _aligned(finding: Finding, domain: str, *, strict: bool) -> bool:
    about = finding.about.rpartition("=")[2].lower()
    return about == domain or (not strict and _organisation(about) == _organisation(domain))


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    """Return the list of public suffixes that authheaders ships; reading it takes long."""
    with (files("authheaders") / "public_suffix_list.txt").open(encoding="utf-8") as text:
        return PublicSuffixList(text)


def _organisation(domain: str) -> str:
    """Return the part of a domain that somebody registered."""
    found = str(_suffixes().get_public_suffix(domain) or domain)
    # Of a top domain that it does not list the list tells that domain alone, everybody's.
    return found if "." in found else ".".join(domain.split(".")[-2:])
