"""Session descriptions: what a caller offers, and what we take of it.

Source: RFC 4566 (the form), RFC 3264 (offer and answer: every media line of the offer is answered
in its place, refused ones with port 0), RFC 5621 (a description inside a multipart body).
"""

import re
from ipaddress import AddressValueError, IPv4Address

from channels.phone.rtp import PCMA, PCMU
from normalizer.schema import Value

#: Profiles that carry plain RTP; a caller that insists on an encrypted one is refused.
_PLAIN = frozenset({"RTP/AVP", "RTP/AVPF"})
_DIRECTIONS = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
_MOST_MEDIA = 16


class NotAcceptable(ValueError):
    """An offer without sound that we can hear, or no description at all."""


class Offer(Value, frozen=True, kw_only=True):
    """What of a description we take."""

    host: str  #: where the peer wants sound, an IPv4 address
    port: int
    codec: int  #: payload type of G.711, A-law if it is offered
    events: int | None  #: payload type of telephone events
    direction: str  #: ours: recvonly where the peer holds us
    chosen: int  #: which media line
    media: tuple[tuple[str, str], ...]  #: kind and profile of every media line


class _Media:
    """One media line with what belongs to it."""

    def __init__(self, line: str, host: str | None, direction: str) -> None:
        words = line.split()
        self.kind = words[0] if words else ""
        self.port = int(words[1].split("/")[0]) if _is_port(words) else 0
        self.profile = words[2] if len(words) > 2 else ""
        self.formats = [int(w) for w in words[3:] if re.fullmatch(r"[0-9]{1,3}", w, re.ASCII)]
        self.host, self.direction = host, direction
        self.maps: dict[int, str] = {}

    def attribute(self, value: str) -> None:
        """Take an ``a=`` line."""
        mapped = re.fullmatch(r"rtpmap:\s*([0-9]{1,3})\s+(\S+).*", value, re.ASCII)
        if mapped is not None:
            self.maps[int(mapped[1])] = mapped[2].lower()
        elif value in _DIRECTIONS:
            self.direction = value

    def codec(self) -> int | None:
        """Return the payload type of G.711 that is to be used, A-law first."""
        for static, name in ((PCMA, "pcma/8000"), (PCMU, "pcmu/8000")):
            for number in self.formats:
                known = self.maps.get(number, "")
                if known.startswith(name) or (number == static and not known):
                    return number if number == static else None
        return None

    def usable(self) -> bool:
        """Return whether this is sound that we can take part in."""
        plain = self.profile in _PLAIN and self.kind == "audio" and 0 < self.port < 65536
        return plain and self.codec() is not None and _is_ipv4(self.host)


def _is_port(words: list[str]) -> bool:
    return len(words) > 3 and re.fullmatch(r"[0-9]{1,5}(/[0-9]+)?", words[1], re.ASCII) is not None


def _is_ipv4(host: str | None) -> bool:
    try:
        return not IPv4Address(host or "").is_multicast
    except AddressValueError:
        return False


def read(body: bytes, content_type: str = "application/sdp") -> Offer:
    """Return what we take of a description.

    Raises:
        NotAcceptable: There is nothing in it that we can take.
    """
    media = _parse(_description(body, content_type))
    chosen = next((m for m in media if m.usable()), None)
    if chosen is None:
        raise NotAcceptable("no G.711 over RTP")
    codec = chosen.codec()
    if codec is None or chosen.host is None:
        raise NotAcceptable("no G.711 over RTP")
    events = (
        n for n in chosen.formats if chosen.maps.get(n, "").startswith("telephone-event/8000")
    )
    held = chosen.host == "0.0.0.0"  # noqa: S104 - RFC 2543's way to put on hold
    return Offer(
        host=chosen.host,
        port=chosen.port,
        codec=codec,
        events=next(events, None),
        direction="inactive" if held else _DIRECTIONS[chosen.direction],
        chosen=media.index(chosen),
        media=tuple((m.kind, m.profile) for m in media),
    )


def _parse(text: str) -> list[_Media]:
    host: str | None = None
    direction = "sendrecv"
    media: list[_Media] = []
    for line in text.splitlines():
        name, _, value = line.partition("=")
        value = value.strip()
        if name == "m" and len(media) < _MOST_MEDIA:
            media.append(_Media(value, host, direction))
        elif name == "c":
            words = value.split()
            found = words[2].split("/")[0] if len(words) == 3 and words[1] == "IP4" else None
            if media:
                media[-1].host = found
            else:
                host = found
        elif name == "a" and media:
            media[-1].attribute(value)
        elif name == "a" and value in _DIRECTIONS:
            direction = value
    return media


def _description(body: bytes, content_type: str) -> str:
    """Return the description, taken out of a multipart body as SIP-I sends it."""
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    if kind == "application/sdp":
        return body.decode("utf-8", "replace")
    boundary = re.search(r'boundary\s*=\s*"?([^";\s]{1,70})', content_type, re.IGNORECASE)
    if not kind.startswith("multipart/") or boundary is None:
        raise NotAcceptable("not a session description")
    for part in body.split(b"--" + boundary[1].encode())[1:]:
        head, _, content = part.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
        if re.search(rb"^content-type\s*:\s*application/sdp", head, re.IGNORECASE | re.MULTILINE):
            return content.decode("utf-8", "replace")
    raise NotAcceptable("no session description among the parts")


def describe(host: str, port: int, version: int, offer: Offer | None = None) -> bytes:
    """Return our description: the answer to an offer, or our own offer where there is none.

    Args:
        host: Our IPv4 address.
        port: Where we take sound.
        version: Grows with every description of a call.
        offer: What is answered.
    """
    lines = [
        "v=0",
        f"o=gateway {port} {version} IN IP4 {host}",
        "s=12345",
        f"c=IN IP4 {host}",
        "t=0 0",
    ]
    if offer is None:
        lines += _audio(port, "RTP/AVP", (PCMA, PCMU), 101, "sendrecv")
    else:
        for at, (kind, profile) in enumerate(offer.media):
            if at == offer.chosen:
                lines += _audio(port, profile, (offer.codec,), offer.events, offer.direction)
            else:
                lines.append(f"m={kind or 'audio'} 0 {profile or 'RTP/AVP'} 0")
    return ("\r\n".join(lines) + "\r\n").encode("ascii", "replace")


def _audio(
    port: int, profile: str, codecs: tuple[int, ...], events: int | None, direction: str
) -> list[str]:
    names = {PCMA: "PCMA", PCMU: "PCMU"}
    numbers = [*codecs, *([events] if events is not None else [])]
    lines = [f"m=audio {port} {profile} {' '.join(map(str, numbers))}"]
    lines += [f"a=rtpmap:{codec} {names[codec]}/8000" for codec in codecs]
    if events is not None:
        lines += [f"a=rtpmap:{events} telephone-event/8000", f"a=fmtp:{events} 0-15"]
    return [*lines, "a=ptime:20", f"a={direction}"]
