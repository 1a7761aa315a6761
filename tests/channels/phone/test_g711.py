"""G.711 against Python's own implementation, every value of it."""

import struct
import warnings

from channels.phone import g711

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

EVERY = b"".join(struct.pack("<h", sample) for sample in range(-32768, 32768))
OCTETS = bytes(range(256))


def test_every_octet_means_what_it_does_elsewhere() -> None:
    """Decoding agrees with audioop in both laws."""
    assert g711.alaw_to_pcm(OCTETS) == audioop.alaw2lin(OCTETS, 2)
    assert g711.ulaw_to_pcm(OCTETS) == audioop.ulaw2lin(OCTETS, 2)


def test_every_sample_is_encoded_as_elsewhere() -> None:
    """Encoding agrees with audioop in both laws, for all 65,536 samples."""
    assert g711.pcm_to_alaw(EVERY) == audioop.lin2alaw(EVERY, 2)
    assert g711.pcm_to_ulaw(EVERY) == audioop.lin2ulaw(EVERY, 2)


def test_octets_survive_both_ways() -> None:
    """What was A-law is the same A-law again; mu-law has two zeros, of which one is kept."""
    assert g711.pcm_to_alaw(g711.alaw_to_pcm(OCTETS)) == OCTETS
    again = g711.pcm_to_ulaw(g711.ulaw_to_pcm(OCTETS))
    assert [o for o in range(256) if again[o] != o] == [0x7F]


def test_translation_between_the_laws_goes_by_the_samples() -> None:
    """The tables say what decoding and encoding say."""
    assert g711.ulaw_to_alaw(OCTETS) == g711.pcm_to_alaw(g711.ulaw_to_pcm(OCTETS))
    assert g711.alaw_to_ulaw(OCTETS) == g711.pcm_to_ulaw(g711.alaw_to_pcm(OCTETS))


def test_silence_is_quiet_and_shouting_is_loud() -> None:
    """Loudness is 0 for silence and nothing, 255 and next to it for the largest samples."""
    assert g711.loudness(b"") == g711.loudness(bytes([g711.ALAW_SILENCE]) * 160) == 0
    assert g711.loudness(g711.pcm_to_alaw(struct.pack("<h", 32767))) >= 250
    assert g711.loudness(g711.pcm_to_alaw(struct.pack("<h", -4096))) in range(28, 36)


def test_a_half_sample_is_left_out() -> None:
    """An odd number of octets loses the last one."""
    assert len(g711.pcm_to_alaw(EVERY[:7])) == len(g711.pcm_to_ulaw(EVERY[:7])) == 3


def test_sounds_together_are_their_sum() -> None:
    """As audioop adds them: with its clipping, and a single one stays as it is."""
    sounds = [OCTETS, OCTETS[::-1], OCTETS[128:] + OCTETS[:128]]
    lines = [audioop.alaw2lin(sound, 2) for sound in sounds]
    assert g711.mix(sounds[:1]) == OCTETS
    assert g711.mix(sounds[:2]) == audioop.lin2alaw(audioop.add(lines[0], lines[1], 2), 2)
    loud = [OCTETS, OCTETS]
    assert g711.mix(loud) == audioop.lin2alaw(audioop.add(lines[0], lines[0], 2), 2)
