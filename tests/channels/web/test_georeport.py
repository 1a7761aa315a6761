"""Open311's wire: fields become a submission, documents become XML and JSON."""

import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Request
from channels.web.codec import inbound
from channels.web.georeport import UnknownService, chosen, encode, read, seen
from channels.web.submission import Submission
from normalizer.errors import FieldError, Malformed, Oversized
from normalizer.schema import Domain, RequestType

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TEXT = "人民路与城东路口的路灯坏了三天"
LEAST = {"service_code": "housing", "address_string": "人民路 1 号", "description": TEXT}


def calm(_text: str) -> bool:
    return False


def taken(**fields: str) -> tuple[Submission, Domain | None]:
    found = read({**LEAST, **fields}, urgent=calm)
    assert isinstance(found[0], Submission), found
    return found  # type: ignore[return-value]


def refused(fields: dict[str, str]) -> tuple[FieldError, ...]:
    found = read(fields, urgent=calm)
    assert not isinstance(found[0], Submission)
    return found  # type: ignore[return-value]


def test_every_field_of_the_specification_that_we_know_arrives() -> None:
    """Names are put together, attributes are our own fields, a picture's address ends the text."""
    got, domain = taken(
        lat="33.64",
        long="116.96",
        email="someone@example.org",
        first_name="Jo",
        last_name="Smith",
        phone="138 0013 8000",
        media_url="https://pictures.example/1.jpg",
        device_id="tt222111",
        account_id="123456",
        jurisdiction_id="city.example",
        api_key="xyz",
        **{"attribute[type]": "complaint", "attribute[public]": "true", "attribute[odd]": "1"},
    )
    assert domain is Domain.HOUSING
    assert got == Submission(
        text=f"{TEXT}\nhttps://pictures.example/1.jpg",
        type=RequestType.COMPLAINT,
        name="Jo Smith",
        phone="138 0013 8000",
        email="someone@example.org",
        address="人民路 1 号",
        latitude=33.64,
        longitude=116.96,
        public=True,
    )


def test_a_chinese_name_begins_with_the_family() -> None:
    """No space stands between the parts of a Chinese name."""
    assert taken(first_name="小明", last_name="王")[0].name == "王小明"


def test_the_last_service_leaves_the_matter_to_the_judge() -> None:
    """Who does not know where a matter belongs chooses nothing."""
    assert taken(service_code="other")[1] is None


@pytest.mark.parametrize(
    ("changed", "kind", "field"),
    [
        ({"service_code": ""}, Malformed, "service_code"),
        ({"service_code": "potholes"}, UnknownService, "service_code"),
        ({"address_string": " "}, Malformed, "address_string"),
        ({"address_string": "", "address_id": "7"}, Malformed, "address_id"),
        ({"address_string": "x" * 501}, Oversized, "address_string"),
        ({"lat": "33.6"}, Malformed, "long"),
        ({"lat": "91", "long": "0"}, Malformed, "lat"),
        ({"lat": "north", "long": "0"}, Malformed, "lat"),
        ({"lat": "0", "long": "181"}, Malformed, "long"),
        ({"description": ""}, Malformed, "description"),
        ({"description": "长" * 20_001}, Oversized, "description"),
        ({"email": "nobody"}, Malformed, "email"),
        ({"phone": "1" * 41}, Oversized, "phone"),
        ({"first_name": "x" * 60, "last_name": "y" * 60}, Oversized, "first_name"),
        ({"media_url": "javascript:alert(1)"}, Malformed, "media_url"),
        ({"media_url": "https://x.example/" + "a" * 2_000}, Oversized, "media_url"),
        ({"attribute[type]": "anger"}, Malformed, "attribute[type]"),
        ({"attribute[title]": "x" * 201}, Oversized, "attribute[title]"),
        ({"attribute[occurred_at]": "yesterday"}, Malformed, "attribute[occurred_at]"),
        ({"attribute[public]": "perhaps"}, Malformed, "attribute[public]"),
        ({"attribute[anonymous]": "2"}, Malformed, "attribute[anonymous]"),
        ({"attribute[confidential]": "?"}, Malformed, "attribute[confidential]"),
        ({"attribute[language]": "!"}, Malformed, "attribute[language]"),
    ],
)
def test_a_wrong_field_is_named_as_the_client_calls_it(
    changed: dict[str, str], kind: type[FieldError], field: str
) -> None:
    """The error names the argument of the specification, and nothing else is wrong."""
    (error,) = refused({**LEAST, **changed})
    assert (type(error), error.field) == (kind, field)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """A client need not send a request once for each of its errors."""
    wrong = refused({"service_code": "x", "email": "nobody"})
    assert [error.field for error in wrong] == [
        "service_code",
        "address_string",
        "description",
        "email",
    ]


def test_an_emergency_waits_for_no_service_and_no_place() -> None:
    """What sounds like one is taken as it is told."""
    found = read({"description": "着火了，快来人"}, urgent=lambda text: "着火" in text)
    assert isinstance(found[0], Submission)
    assert found[1] is None


def pushed(fields: dict[str, str]) -> Request:
    return Request(method="POST", headers={"idempotency-key": "k-1"}, body=b"", fields=fields)


def test_the_clients_key_is_not_kept() -> None:
    """What is kept as evidence holds all that was sent but the secret."""
    submission, domain = taken()
    got = seen(submission, domain, pushed({**LEAST, "api_key": "hush"}), NOW, "portal")
    assert json.loads(got.raw) == LEAST
    assert (got.channel, got.account, got.key, got.domain) == ("web", "portal", "k-1", domain)


def test_a_repeat_to_another_service_is_no_repeat() -> None:
    """The service belongs to what a key stands for."""
    submission, _ = taken()
    same = [seen(submission, d, pushed(LEAST), NOW, "portal").digest for d in (None, Domain.LABOUR)]
    assert len({*same, inbound(submission, pushed(LEAST), NOW, "portal").digest}) == 3


@pytest.mark.parametrize(
    ("raw", "kind", "domain"),
    [
        (b'{"text":"x","type":"praise"}', RequestType.PRAISE, None),
        (b'{"text":"x","type":"","service_code":"market"}', None, None),
        (b'{"description":"x","service_code":"market"}', None, Domain.MARKET),
        (b'{"service_code":"other","attribute[type]":"help"}', RequestType.HELP, None),
        (b'{"type":["praise"],"service_code":7}', None, None),
        (b"\xff", None, None),
        (b"", None, None),
    ],
)
def test_what_the_citizen_chose_is_found_again(
    raw: bytes, kind: RequestType | None, domain: Domain | None
) -> None:
    """Of what was kept, by either interface; nothing is read into what is no choice."""
    assert chosen(raw) == (kind, domain)


DOCUMENT: dict[str, Any] = {
    "service_code": "housing",
    "attributes": [{"variable": True, "order": 1, "values": [{"key": "a&b", "name": "<甲>"}]}],
    "nothing": None,
    "formats": ["text/xml"],
    "at": NOW,
}


def test_a_document_is_the_same_in_both_forms() -> None:
    """Lists name their members in XML, flags are words, what is unknown is empty."""
    root = ET.fromstring(encode("service_definition", DOCUMENT, "xml"))  # noqa: S314 - our own
    assert root.tag == "service_definition"
    assert root.findtext("attributes/attribute/variable") == "true"
    assert root.findtext("attributes/attribute/values/value/key") == "a&b"
    assert root.findtext("attributes/attribute/values/value/name") == "<甲>"
    assert root.findtext("formats/format") == "text/xml"
    assert root.findtext("at") == "2026-11-23T02:00:00+00:00"
    assert root.find("nothing") is not None
    assert root.findtext("nothing") == ""
    assert json.loads(encode("service_definition", DOCUMENT, "json"))["nothing"] is None


def test_a_document_begins_with_its_encoding() -> None:
    """The declaration names UTF-8, as the specification wants it; a list may be empty."""
    assert encode("service_requests", [], "xml") == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<service_requests/>\n'
    )


@given(st.text())
def test_any_text_can_be_read_again(text: str) -> None:
    """Whatever a citizen wrote, the document says the same, but for what XML cannot hold."""
    root = ET.fromstring(encode("errors", [{"description": text}], "xml"))  # noqa: S314 - our own
    found = root.findtext("error/description") or ""
    assert len(found) == len(text)
    assert [a for a, b in zip(found, text, strict=True) if a != b and a not in "\ufffd?"] == []
