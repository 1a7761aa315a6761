"""From what a channel saw to what the ticket holds: text, requester, place and time."""

from datetime import datetime

import msgspec

from normalizer.content import elements, title_of
from normalizer.language import detect
from normalizer.phone import own_phone, to_e164
from normalizer.place import Gazetteer, find_place, locate
from normalizer.schema import Content, Elements, Inbound, Place, Requester, Value
from normalizer.text import fold, normalize_text, storable
from normalizer.times import FoundTime, find_time

_NOWHERE = Place()


class Context(Value, frozen=True, kw_only=True):
    """Where the instance serves: what is assumed where a citizen is silent."""

    home: str  #: adcode of the city
    area_code: str | None = None  #: with its 0, e.g. 0557


class Normalized(Value, frozen=True, kw_only=True):
    """What a message says once it is put into the gateway's terms."""

    content: Content
    folded: str  #: `normalizer.text.fold` of ``content.text``: same offsets
    requester: Requester
    place: Place
    occurred_at: datetime | None


def normalize(inbound: Inbound, context: Context, gazetteer: Gazetteer) -> Normalized:
    """Return the message in the gateway's terms; nothing that the citizen gave is lost.

    What the citizen filled in wins over what the text tells. A telephone number that cannot be
    read is kept, as written, in the element ``people``: the requester's is E.164 or None.
    Words that cannot be decoded, and none at all, are normalized like any others.

    Args:
        inbound: With ``received_at`` in the instance's zone, which relative times count from.
        context: Of the instance.
        gazetteer: With the towns of the instance's city.
    """
    text = normalize_text(inbound.text)
    folded = fold(text)
    told = find_place(text, folded, gazetteer, context.home)
    place = _place(inbound.place, told, gazetteer, context.home)
    time = find_time(folded, inbound.received_at)
    requester = _requester(inbound.requester, text, context.area_code)
    found = elements(text, folded, text[time.start : time.end] if time else None, place.text)
    if inbound.requester.phone and requester.phone is None:
        found = _with_unread_phone(found, inbound.requester.phone)
    content = Content(
        title=_line(inbound.title) or title_of(text),
        text=text,
        original=storable(inbound.text if inbound.full is None else inbound.full),
        elements=found,
    )
    return Normalized(
        content=content,
        folded=folded,
        requester=requester,
        place=place,
        occurred_at=_occurred_at(inbound, time),
    )


def _occurred_at(inbound: Inbound, time: FoundTime | None) -> datetime | None:
    """Return the citizen's own instant in the instance's zone, else what the text tells."""
    if inbound.occurred_at is not None:
        return inbound.occurred_at.astimezone(inbound.received_at.tzinfo)
    return time.at if time else None


def _requester(who: Requester, text: str, area_code: str | None) -> Requester:
    if who.phone:
        phone = to_e164(who.phone, area_code)
    else:
        phone = None if who.anonymous else own_phone(text, area_code)
    return Requester(
        kind=who.kind,
        name=_line(who.name),
        phone=phone,
        email=storable(who.email).strip() or None if who.email else None,
        wechat=_line(who.wechat),
        anonymous=who.anonymous,
        confidential=who.confidential,
        language=_line(who.language) or detect(text),
    )


def _line(words: str | None) -> str | None:
    """Return a field of one line, None where it says nothing."""
    return (" ".join(normalize_text(words).split()) or None) if words else None


def _with_unread_phone(found: Elements, phone: str) -> Elements:
    words = f"联系电话(未能识别): {_line(phone) or ''}"
    people = f"{found.people}、{words}" if found.people else words
    return msgspec.structs.replace(found, people=people)


def _place(own: Place, told: Place, gazetteer: Gazetteer, home: str) -> Place:
    """Return the place with every field that the citizen filled in, the rest from their words."""
    if own == _NOWHERE:
        return told
    address = _line(own.text)
    names = [_line(name) for name in (own.province, own.city, own.district, own.street)]
    whole = "".join(name for name in (*names, address) if name)
    known = _finer(locate(whole, gazetteer, home), told) if whole else told
    province, city, district, street = names
    return Place(
        text=address or told.text,
        province=province or known.province,
        city=city or known.city,
        district=district or known.district,
        street=street or known.street,
        adcode=own.adcode or known.adcode,
        latitude=own.latitude,
        longitude=own.longitude,
    )


def _finer(address: Place, told: Place) -> Place:
    """Return what the text tells where the address leaves the district of the same city open."""
    same_city = address.city is not None and address.city == told.city
    return told if same_city and address.district is None and told.district else address
