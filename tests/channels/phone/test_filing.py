"""What a call becomes when its messages come late, twice, or in another order."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.phone import codec
from channels.phone.filing import Filing
from channels.phone.link import Call
from tests.channels.phone.lines import Office
from tests.channels.phone.test_codec import call


@pytest.fixture
def office() -> Office:
    """What stands for the gateway."""
    return Office()


def filing(office: Office) -> Filing:
    """Return what files calls in a gateway that was just started."""
    found = Filing(codec.Account(name="trunk", area_code="0557"), lambda: datetime.now(UTC))
    found.accept, found.keep = office.accept, office.keep
    return found


@pytest.mark.parametrize("words", ["", "着火了"])
async def test_first_words_that_come_behind_the_end_are_no_second_ticket(
    office: Office, tmp_path: Path, words: str
) -> None:
    """A gateway that stopped had taken the whole call; the next is told its first words once more."""
    one = call(reported=True)
    whole = await filing(office).whole(one, words, str(tmp_path))
    again = await filing(office).early(one, words)
    assert again is not None
    assert again.number == whole.number
    assert len(office.calls) == 1


async def test_another_call_under_the_same_key_is_a_ticket_of_its_own(
    office: Office, tmp_path: Path
) -> None:
    """What a second worker answered of the same INVITE is not lost, first words and end."""
    await filing(office).whole(call(), "路灯不亮", str(tmp_path))
    other: Call = call(id="2", reported=True)
    files = filing(office)
    await files.early(other, "着火了")
    await files.whole(other, "着火了", str(tmp_path))
    assert [one.key for one in office.calls] == ["a@b;t", "a@b;t;2"]
