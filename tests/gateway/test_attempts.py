"""Counting wrong query codes: ten in ten minutes, and not more memory than that needs."""

from gateway.attempts import ALLOWED, KEPT, WINDOW_S, Attempts


def tried(times: int, *, at: float = 0.0) -> Attempts:
    """Return a count of so many wrong tries at one moment."""
    attempts = Attempts()
    for _ in range(times):
        attempts.count("a", at)
    return attempts


def test_the_limits_are_those_of_the_contract() -> None:
    """Ten wrong codes in ten minutes."""
    assert (ALLOWED, WINDOW_S) == (10, 600)


def test_nine_wrong_codes_block_nobody() -> None:
    """Whoever mistypes may go on."""
    assert tried(9).blocked_for("a", 1.0) == 0


def test_the_tenth_wrong_code_blocks_until_the_first_is_ten_minutes_old() -> None:
    """The time to wait is told to the second."""
    attempts = tried(10, at=100.0)
    assert attempts.blocked_for("a", 100.0) == 600
    assert attempts.blocked_for("a", 699.5) == 0.5
    assert attempts.blocked_for("a", 700.0) == 0


def test_the_window_slides() -> None:
    """Tries count for ten minutes each, not until the hour is full."""
    attempts = Attempts()
    for n in range(10):
        attempts.count("a", n * 60.0)
    assert attempts.blocked_for("a", 540.0) == 60
    assert attempts.blocked_for("a", 600.0) == 0
    attempts.count("a", 600.0)
    assert attempts.blocked_for("a", 600.0) == 60


def test_another_number_or_address_is_not_blocked() -> None:
    """Each key has a count of its own."""
    assert tried(10).blocked_for("b", 0.0) == 0


def test_a_key_whose_tries_are_old_is_forgotten() -> None:
    """What no longer counts is not kept."""
    attempts = tried(10)
    assert attempts.blocked_for("a", WINDOW_S) == 0
    assert not attempts._tries


def test_a_flood_of_addresses_takes_bounded_memory() -> None:
    """The least recently wrong is forgotten, the newest are blocked as ever."""
    attempts = Attempts()
    for n in range(KEPT + 100):
        attempts.count(f"address {n}", 0.0)
    for _ in range(ALLOWED - 1):
        attempts.count(f"address {KEPT + 99}", 0.0)
    assert len(attempts._tries) == KEPT
    assert attempts.blocked_for(f"address {KEPT + 99}", 1.0) > 0


def test_many_tries_of_one_key_take_bounded_memory() -> None:
    """Only as many tries as matter are kept, and a block lasts from the newest of them."""
    attempts = tried(10_000)
    assert len(attempts._tries["a"]) == ALLOWED


def test_other_tries_have_limits_of_their_own() -> None:
    """How many are allowed, and for how long they count, is the caller's to say."""
    attempts = Attempts(allowed=2, window_s=60.0)
    attempts.count("a", 0.0)
    assert attempts.blocked_for("a", 0.0) == 0
    attempts.count("a", 10.0)
    assert attempts.blocked_for("a", 20.0) == 40
    assert attempts.blocked_for("a", 60.0) == 0
