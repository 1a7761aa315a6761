"""A call as a message, and the smaller values around it."""

import struct
from array import array
from datetime import UTC, datetime
from importlib.resources import files
from math import sin
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.phone import codec, voice
from channels.phone.channel import dialogue_text, plugin, socket_path, worker_settings
from channels.phone.dialogue import load
from channels.phone.g711 import alaw_to_pcm
from channels.phone.link import MOST_OCTETS, BadFrame, Call, Filed, Frames, Heard, encode
from channels.phone.voice import Prompts, resample, to_alaw
from channels.phone.wav import alaw_header, read_wav
from normalizer.schema import Inbound
from tests.channels.phone.lines import Beep

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
OURS = codec.Account(name="trunk", area_code="0557")


def call(**values: Any) -> Call:
    """Return a call of somebody who said something."""
    given_ = {
        "id": "1",
        "call_id": "a@b",
        "from_tag": "t",
        "caller": "13800138000",
        "called": "12345",
        "answered_at": NOW.timestamp(),
        "spoke": True,
        "octets": 8000,
        **values,
    }
    return Call(**given_)


def whole(of: Call, heard: str = "", **values: Any) -> Inbound:
    """Return the message of a finished call."""
    return codec.whole(of, OURS, heard, (), NOW, **values)


@pytest.mark.parametrize(
    ("values", "heard", "text", "draft", "undecodable"),
    [
        ({}, "路灯不亮", "路灯不亮", False, False),
        ({}, "", codec.RECORDED, False, True),
        ({"octets": 0}, "", codec.WITHOUT_SOUND, False, True),
        ({"spoke": False}, "", codec.UNHEARD, True, False),
        ({"spoke": False, "reported": True}, "", codec.ASKED_FOR_HELP + codec.UNHEARD, False, True),
        ({"reported": True}, "着火了", codec.ASKED_FOR_HELP + "着火了", False, False),
        ({"spoke": False, "how": "transferred"}, "", codec.TRANSFERRED, False, False),
    ],
)
def test_what_a_call_says(
    values: dict[str, Any], heard: str, text: str, *, draft: bool, undecodable: bool
) -> None:
    """Words, a note of what is missing, or a draft; what nobody understood goes to a human."""
    inbound = whole(call(**values), heard)
    assert (inbound.text, inbound.draft, inbound.undecodable) == (text, draft, undecodable)


def test_callers_are_known_by_their_full_number() -> None:
    """A local number has the line's area code; one that is withheld meets no other."""
    assert whole(call()).thread == "+8613800138000"
    assert whole(call(caller="3022222")).requester.phone == "+865573022222"
    assert whole(call(caller="3022222")).thread == "+865573022222"
    hidden, other = whole(call(caller=None)), whole(call(caller=None, call_id="c@d"))
    assert hidden.requester.phone is None
    assert hidden.thread != other.thread


def test_the_parts_of_a_call_are_told_apart() -> None:
    """First words, more words and the end share a call, and have keys and digests of their own."""
    first = codec.early(call(), OURS, "着火了", NOW)
    more = codec.more(call(), OURS, "着火了", NOW, "20261122-000001-7")
    rest = whole(call(), "着火了，快来", continues="20261122-000001-7")
    alone = whole(call(), "着火了，快来")
    assert first.key == alone.key == "a@b;t"
    assert first.digest != alone.digest
    assert {more.key, rest.key} == {"a@b;t:more", "a@b;t:end"}
    assert more.continues == rest.continues == "20261122-000001-7"
    assert alone == whole(call(), "着火了，快来")


def test_a_recording_is_a_wav_file_of_alaw() -> None:
    """Format 6, 8,000 a second, one channel, and the sound as it came."""
    sound = bytes(range(256)) * 3
    found = read_wav(alaw_header(len(sound)) + sound)
    assert found == (6, 8000, 1, 8, sound)
    with pytest.raises(ValueError, match="not a WAV"):
        read_wav(b"RIFFxxxxAVI ")
    with pytest.raises(ValueError, match="without format or data"):
        read_wav(b"RIFFxxxxWAVE")


@given(
    st.lists(st.builds(Heard, id=st.text(max_size=9), sound=st.binary(max_size=99)), max_size=9),
    st.integers(1, 50),
)
def test_frames_arrive_however_they_are_cut(messages: list[Heard], size: int) -> None:
    """Octet by octet or all at once: the same messages."""
    octets = b"".join(encode(m) for m in messages)
    frames, got = Frames(), list[object]()
    for at in range(0, len(octets), size):
        got += frames.feed(octets[at : at + size])
    assert got == messages


@given(st.binary(min_size=5, max_size=99))
def test_a_frame_that_is_none_is_refused(data: bytes) -> None:
    """Wrong octets end the connection and nothing else."""
    frame = encode(Filed(id="1"))
    with pytest.raises(BadFrame):
        Frames().feed(frame + struct.pack(">I", len(data)) + b"\xc1" + data)
    with pytest.raises(BadFrame):
        Frames().feed(struct.pack(">I", MOST_OCTETS + 1))


def test_resampling_keeps_the_tone_and_folds_nothing_down() -> None:
    """A tone of 1 kHz keeps its level; one of 6 kHz, above what the line carries, is gone."""
    for hertz, low, high in ((1000, 9_000, 11_000), (6000, 0, 400)):
        tone = array(
            "h", [int(10_000 * sin(2 * 3.14159265 * hertz * n / 22050)) for n in range(9000)]
        )
        made = resample(tone, 22050)
        assert abs(len(made) - 9000 * 8000 / 22050) < 2
        assert low <= max(made[500:-500]) <= high
    with pytest.raises(ValueError, match="a rate"):
        resample(array("h"), 100)


def test_files_of_other_formats_are_read_or_refused() -> None:
    """G.711 and linear samples are; others are named as what they are not."""
    sound = bytes(range(256))
    assert to_alaw(alaw_header(256) + sound) == sound
    linear = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 8000, 32000, 4, 16)
    data = alaw_to_pcm(sound)
    both = b"".join(data[n : n + 2] + b"\1\2" for n in range(0, len(data), 2))
    chunk = struct.pack("<4sI", b"data", len(both)) + both
    assert to_alaw(b"RIFF\0\0\0\0WAVE" + linear + chunk) == sound  # the first of two channels
    strange = linear.replace(struct.pack("<H", 1), struct.pack("<H", 3), 1)
    with pytest.raises(ValueError, match="16-bit linear"):
        to_alaw(b"RIFF\0\0\0\0WAVE" + strange + chunk)


async def test_prompts_are_rendered_once_and_again_when_they_change(tmp_path: Path) -> None:
    """A changed sentence is rendered anew; a human's recording goes before the voice."""
    rendered: list[str] = []

    class Voice(Beep):
        async def render(self, text: str, into: Path) -> None:
            """Write a beep, and remember for what."""
            rendered.append(text)
            await super().render(text, into)

    folder, spoken = tmp_path / "prompts", tmp_path / "spoken"
    spoken.mkdir()
    (spoken / "bye.wav").write_bytes(alaw_header(3) + b"abc")
    prompts = Prompts(folder, Voice(), spoken)
    assert await prompts.make({"hello": "您好", "bye": "再见"}) == []
    assert await prompts.make({"hello": "您好", "bye": "再见"}) == []
    assert rendered == ["您好"]
    await prompts.make({"hello": "你好"})
    assert rendered == ["您好", "你好"]
    assert (folder / "bye.alaw").read_bytes() == b"abc"
    assert len((folder / "hello.alaw").read_bytes()) == 160


async def test_a_missing_voice_leaves_a_line_without_prompts(tmp_path: Path) -> None:
    """It is told which prompts are missing, and nothing is raised."""
    prompts = Prompts(tmp_path / "prompts", voice.Espeak("no-such-program"))
    assert await prompts.make({"hello": "您好"}) == ["hello"]


async def test_the_voice_of_every_debian_renders_mandarin(tmp_path: Path) -> None:
    """espeak-ng: more than half a second of sound for a short sentence, at 8,000 a second."""
    prompts = Prompts(tmp_path / "prompts", voice.Espeak())
    assert await prompts.make({"hello": "您好，请讲。"}) == []
    assert 4_000 < len((tmp_path / "prompts" / "hello.alaw").read_bytes()) < 40_000


SECTION = {"kind": "phone", "name": "trunk", "server": "127.0.0.1", "user": "12345"}


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"name": "a/b"}, "name"),
        ({"user": "a b"}, "user"),
        ({"local_host": "localhost"}, "local_host"),
        ({"rtp_ports": [5, 5]}, "rtp_ports"),
        ({"seats": "127.0.0.1"}, "seats"),
        ({"sources": ["10.0.0.0/33"]}, "sources"),
        ({"recognizer": {"url": "http://x"}}, "recognizer"),
        ({"loud": 0}, "loud"),
        ({"dialogue": "/no/such/file.yaml"}, "dialogue"),
        ({"dialogue": __file__}, "dialogue"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, Any], at: str) -> None:
    """The error is at the key that is wrong."""
    with pytest.raises(ValidationError) as raised:
        plugin.check({**SECTION, **values})
    assert raised.value.errors()[0]["loc"][0] == at


def test_a_line_takes_no_more_calls_than_it_has_ports() -> None:
    """Two ports a call; the password is in no repr; the contract's section is one."""
    section = plugin.check({**SECTION, "rtp_ports": [20000, 20009], "password": "geheim"})
    assert section.max_calls == 5
    assert "geheim" not in repr(section)
    (told,) = worker_settings(section, "")
    assert (told.password, told.allow) == ("geheim", ("127.0.0.1", "127.0.0.1"))


def test_a_deep_folder_has_a_short_socket(tmp_path: Path) -> None:
    """The system takes short paths only; two lines never share one."""
    deep = tmp_path / ("x" * 120)
    assert socket_path(Path("/var/line")) == Path("/var/line/gateway.sock")
    assert len(str(socket_path(deep))) < 100
    assert socket_path(deep) != socket_path(deep / "y")


async def test_the_shipped_dialogue_speaks_without_a_voice(tmp_path: Path) -> None:
    """Every prompt of it is shipped, rendered by a Mandarin voice, and nothing else is."""
    text = dialogue_text(plugin.check(SECTION))
    shipped = files("channels.phone").joinpath("data/prompts")
    texts = dict(load(text).prompts)
    folder = tmp_path / "prompts"
    prompts = Prompts(folder, voice.Espeak("no-such-program"), shipped=shipped)
    assert await prompts.make(texts) == []
    spoken = {name: (folder / f"{name}.alaw").read_bytes() for name in texts}
    assert min(map(len, spoken.values())) > 2000
    assert len(spoken["greeting"]) > 3 * 8000
    assert sorted(spoken.values()) == sorted(file.read_bytes() for file in shipped.iterdir())
    assert await prompts.make({"greeting": "另一句话"}) == ["greeting"]
