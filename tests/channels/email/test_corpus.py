"""Every mail of the corpus becomes what its case says."""

import pytest

from channels.email.codec import understand
from channels.email.parsed import Job
from tests.channels.email.vectors import corpus
from tests.channels.email.vectors.building import OURS, Case


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
