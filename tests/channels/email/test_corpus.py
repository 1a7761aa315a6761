"""Every mail of the corpus becomes what its case says."""

from pathlib import Path
from typing import Any

import pytest

from channels.email.codec import understand
from channels.email.parsed import Job
from tests.channels.email.vectors import corpus
from tests.channels.email.vectors.building import OURS, Case
from tests.peers.mailer import NodeMailer


@pytest.mark.parametrize("case", corpus.CASES, ids=lambda case: case.label)
def test_a_mail_becomes_what_its_case_says(case: Case) -> None:
    """Text, subject, files, kind of sender and whether a human must look."""
    mail = understand(Job(raw=case.raw, address=OURS, null_sender=case.null_sender))
    assert mail.kind == case.kind, mail.why
    if case.text is not None:
        assert mail.text == case.text
    if case.subject is not None:
        assert mail.subject == case.subject
    if case.files is not None:
        assert tuple(file.name for file in mail.files) == case.files
    if case.sender is not None:
        assert mail.sender == case.sender
    assert mail.undecodable == case.undecodable, mail.problems
    assert [w for w in case.holds if w not in mail.text] == []
    assert [w for w in case.lacks if w in mail.text] == []
    assert [w for w in case.kept if w not in mail.full] == []


def test_the_corpus_is_large_and_says_where_it_comes_from() -> None:
    """At least 120 mails, no two of one name, each with its source."""
    labels = [case.label for case in corpus.CASES]
    assert len(labels) >= 120
    assert len(set(labels)) == len(labels)
    assert all(case.source for case in corpus.CASES)


_WORDS = "家里进水齐腰深，老人被困二楼。请快来人！😱"
_COMPOSED: tuple[tuple[dict[str, Any], str, tuple[str, ...]], ...] = (
    ({"text": _WORDS}, _WORDS, ()),
    ({"text": _WORDS, "textEncoding": "quoted-printable"}, _WORDS, ()),
    ({"html": f"<p>{_WORDS}</p>"}, _WORDS, ()),
    ({"text": _WORDS, "html": f"<p>{_WORDS}</p>"}, _WORDS, ()),
    (
        {
            "text": _WORDS,
            "attachments": [
                {
                    "filename": "积水照片（第一张）很长的名字用来折行很长的名字用来折行.jpg",
                    "content": "x",
                },
                {"filename": "a b;c.pdf", "content": "y"},
            ],
        },
        _WORDS,
        ("积水照片（第一张）很长的名字用来折行很长的名字用来折行.jpg", "a b;c.pdf"),
    ),
    (
        {
            "html": f'<p>{_WORDS}</p><img src="cid:p@x">',
            "attachments": [{"filename": "图.png", "content": "x", "cid": "p@x"}],
        },
        _WORDS,
        ("图.png",),
    ),
    ({"text": _WORDS, "icalEvent": {"content": "BEGIN:VCALENDAR"}}, _WORDS, ("invite.ics",)),
)


def test_mails_of_an_independent_composer(tmp_path: Path) -> None:
    """What npm's nodemailer writes is read as it was meant: words, subject, sender, files."""
    subject = "关于小区积水的紧急求助，很长的主题会被分成几个编码词，每个都在字符边界上"
    head = {"from": "“张三” <zs@qq.example>", "to": OURS, "subject": subject}
    raws = NodeMailer(tmp_path).compose([{"message": {**head, **each}} for each, _, _ in _COMPOSED])
    for raw, (_, text, files) in zip(raws, _COMPOSED, strict=True):
        read = understand(Job(raw=raw, address=OURS))
        assert (read.text, read.subject, read.sender) == (text, subject, "zs@qq.example")
        assert not read.undecodable
        assert set(files) <= {file.name for file in read.files}
