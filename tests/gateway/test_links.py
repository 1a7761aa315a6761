"""Query codes and signed links: derived, stable, each for one ticket."""

import re

import pytest

from gateway.links import (
    attachment_signature,
    attachment_url,
    query_code,
    same_code,
    temporary_code,
)

SECRET = b"s" * 32


def test_a_code_is_eight_characters_that_can_be_read_aloud() -> None:
    """No character looks or sounds like another."""
    codes = [query_code(SECRET, f"ticket-{n}") for n in range(300)]
    assert all(re.fullmatch(r"[A-HJKMNP-Z2-9]{8}", code) for code in codes)
    assert not set("".join(codes)) & set("ILOU01")


def test_a_code_is_the_same_at_every_call() -> None:
    """A repeat of a request is answered with the code of the first answer."""
    assert query_code(SECRET, "t-1") == query_code(bytes(SECRET), "t-1")


def test_a_code_is_the_tickets_and_the_stores_own() -> None:
    """Neither another ticket nor another store has it."""
    codes = {query_code(SECRET, f"t-{n}") for n in range(5000)}
    assert len(codes) == 5000
    assert query_code(b"t" * 32, "t-1") != query_code(SECRET, "t-1")


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        str.upper,
        " {} ".format,
        lambda c: f"{c[:4]} {c[4:]}",
        lambda c: f"{c[:4]}\u3000{c[4:]}\n",
    ],
)
def test_case_and_spaces_do_not_matter(change: object) -> None:
    """A code that is copied by hand opens the ticket."""
    assert callable(change)
    assert same_code(SECRET, "t-1", change(query_code(SECRET, "t-1")))


@pytest.mark.parametrize(
    "wrong", ["", "A", "AAAAAAAA", "开门开门开门开门", "\ud800" * 8, "A" * 100_000]
)
def test_anything_else_does_not_open(wrong: str) -> None:
    """No text of any kind is taken for the code, and none fails."""
    assert not same_code(SECRET, "t-1", wrong)


def test_one_changed_character_does_not_open() -> None:
    """Each of the eight counts."""
    code = query_code(SECRET, "t-1")
    for at, letter in enumerate(code):
        other = "A" if letter != "A" else "B"
        assert not same_code(SECRET, "t-1", code[:at] + other + code[at + 1 :])


def test_the_code_of_another_ticket_does_not_open() -> None:
    """A citizen opens their own ticket only."""
    assert not same_code(SECRET, "t-1", query_code(SECRET, "t-2"))


def test_a_links_signature_is_for_one_file_of_one_ticket() -> None:
    """Neither the file nor the attachment can be exchanged."""
    one = attachment_signature(SECRET, "a-1", "ab" * 32)
    others = [
        attachment_signature(SECRET, "a-2", "ab" * 32),
        attachment_signature(SECRET, "a-1", "cd" * 32),
        attachment_signature(b"t" * 32, "a-1", "ab" * 32),
    ]
    assert one not in others
    assert re.fullmatch(r"[\w-]{24}", one)


def test_a_link_is_complete() -> None:
    """The address needs nothing added."""
    assert attachment_url("https://12345.example", SECRET, "a-1", "ab" * 32) == (
        f"https://12345.example/api/v1/attachments/{'ab' * 32}/a-1"
        f"?sig={attachment_signature(SECRET, 'a-1', 'ab' * 32)}"
    )


def test_a_temporary_code_is_eight_digits_of_its_own() -> None:
    """Ticket, store and nonce each make another one; a telephone fills digits in by itself."""
    codes = {temporary_code(SECRET, f"t-{n}", "a") for n in range(500)}
    codes |= {temporary_code(SECRET, "t-1", f"{n}") for n in range(500)}
    codes.add(temporary_code(b"t" * 32, "t-1", "a"))
    assert len(codes) == 1001
    assert all(re.fullmatch(r"[0-9]{8}", code) for code in codes)


def test_temporary_codes_open_while_they_are_named() -> None:
    """A code is right with its nonce and wrong without; the query code is right with any."""
    code = temporary_code(SECRET, "t-1", "b")
    assert same_code(SECRET, "t-1", f" {code[:4]} {code[4:]}", ("a", "b"))
    assert not same_code(SECRET, "t-1", code, ("a",))
    assert not same_code(SECRET, "t-2", code, ("a", "b"))
    assert same_code(SECRET, "t-1", query_code(SECRET, "t-1"), ("a",))
