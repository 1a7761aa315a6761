"""Digest authentication against the vectors of its standards."""

import pytest

from channels.phone.digest import Challenge, answer, challenge

#: RFC 7616 section 3.9.1.
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CLIENT = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_vectors_of_the_standard_are_met(algorithm: str, response: str) -> None:
    """RFC 7616 section 3.9.1, both algorithms."""
    given = Challenge(
        realm="http-auth@example.org", nonce=NONCE, algorithm=algorithm, opaque=OPAQUE, auth=True
    )
    made = answer(given, "GET", "/dir/index.html", "Mufasa", "Circle of Life", CLIENT)
    assert f'response="{response}"' in made
    assert f'opaque="{OPAQUE}"' in made
    assert f"algorithm={algorithm}, qop=auth, nc=00000001" in made


def test_without_qop_the_old_digest_is_given() -> None:
    """RFC 2069's form, as many PBXs ask for it; a quote in our name is escaped."""
    given = challenge(['Digest realm="x", nonce="n"'])
    assert given == Challenge(realm="x", nonce="n")
    made = answer(given, "INVITE", "sip:1@x", 'a"b', "p")
    assert "cnonce" not in made
    assert 'username="a\\"b"' in made


def test_the_best_challenge_that_can_be_met_is_chosen() -> None:
    """SHA-256 before MD5; what nobody can answer is passed over."""
    offered = [
        'Digest realm="x", nonce="1", algorithm=MD5',
        'Digest realm="x", nonce="2", algorithm=SHA-256, qop="auth-int, auth"',
        'Digest realm="x", nonce="3", algorithm=SHA-512-256',
        'Basic realm="x"',
        'Digest realm="x", nonce="4", qop="auth-int"',
        'Digest nonce="5"',
    ]
    best = challenge(offered)
    assert best is not None
    assert (best.nonce, best.algorithm, best.auth) == ("2", "SHA-256", True)
    assert challenge(offered[2:]) is None
