"""Whether two tickets are of one matter, and the index that finds them again."""

import itertools
from datetime import timedelta

import pytest

from gateway.clusters.index import ClusterIndex
from gateway.clusters.sameness import ONE_MATTER, WINDOW, Sketch, likeness, sketch_of
from normalizer.schema import Content, Domain, Place, Requester
from tests.clock import START
from tests.gateway.world import ticket

_numbers = itertools.count(1)
SITE = "汴河小区旁边的搅拌站"
DUST = f"{SITE}白天黑夜都在生产，粉尘大得不敢开窗，孩子一直咳嗽，希望环保部门去查一查"
NOISE = "我住汴河小区3号楼，楼下搅拌站半夜两点还在轰隆隆地响，老人整晚睡不着，没人管吗"
LAMP = "人民路从银行到小学这一段路灯坏了五盏，晚上接孩子看不见路"


def sketch(
    text: str,
    *,
    place: Place | None = None,
    domain: Domain = Domain.ENVIRONMENT,
    days: float = 0,
    phone: str | None = None,
) -> Sketch:
    """Return a new ticket's sketch."""
    number = next(_numbers)
    who = Requester(phone=phone or f"+86138{number:08}")
    told = ticket(
        content=Content(title=text[:20], text=text, original=text),
        place=place or Place(),
        domain=domain,
        requester=who,
        received_at=START + timedelta(days=days),
    )
    return sketch_of(f"20261123-{number:06}-0", told)


ESTATE = Place(text="汴河小区", city="宿州市", district="埇桥区")
OTHER_ESTATE = Place(text="胜利小区", city="宿州市", district="埇桥区")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (sketch(DUST), sketch(DUST.replace("不敢开窗", "没法开窗")), True),
        (sketch(DUST, place=ESTATE), sketch(NOISE, place=ESTATE), True),
        (sketch(DUST, place=ESTATE), sketch(NOISE, place=OTHER_ESTATE), False),
        (sketch(DUST, place=ESTATE), sketch(LAMP, place=ESTATE, domain=Domain.HOUSING), False),
        (sketch(DUST), sketch(LAMP), False),
        (sketch(DUST), sketch(DUST, days=WINDOW.days + 1), False),
        (sketch(DUST, place=ESTATE), sketch(DUST, place=OTHER_ESTATE), False),
        (sketch("你好"), sketch("您好"), False),
        (sketch("路灯不亮没人管"), sketch("路灯不亮没人管"), False),
        (sketch("路灯不亮", place=ESTATE), sketch("路灯不亮", place=ESTATE), True),
        (sketch(""), sketch(""), False),
    ],
)
def test_what_is_one_matter(one: Sketch, other: Sketch, same: bool) -> None:
    """One text, or one place, field and topic; whichever of the two came first."""
    assert (likeness(one, other) >= ONE_MATTER) is same
    assert likeness(one, other) == likeness(other, one)


def test_reports_of_one_site_are_one_cluster() -> None:
    """The index finds the cluster by place or by words, and names it after the first ticket."""
    index = ClusterIndex()
    first = sketch(DUST, place=ESTATE)
    cluster, grew = index.put(first)
    assert (cluster.name, cluster.size, grew) == (first.number, 1, True)
    index.put(sketch(LAMP, domain=Domain.HOUSING))
    for text in (NOISE, f"{SITE}又开工了，全是灰", f"请问{SITE}有没有环评手续，噪音太大了"):
        cluster, grew = index.put(sketch(text, place=ESTATE))
        assert (cluster.name, grew) == (first.number, True)
    assert (cluster.size, cluster.count, len(index)) == (4, 4, 5)


def test_one_citizen_makes_a_cluster_no_greater() -> None:
    """What somebody says again belongs to the cluster and is no growth."""
    index = ClusterIndex()
    index.put(sketch(DUST, place=ESTATE, phone="+8613800138000"))
    cluster, grew = index.put(sketch(DUST, place=ESTATE, phone="+8613800138000"))
    assert (cluster.size, cluster.count, grew) == (2, 1, False)


def test_a_known_cluster_is_taken_as_it_is() -> None:
    """After a restart a ticket belongs where it did, though the first one is forgotten."""
    index = ClusterIndex()
    for text in (DUST, LAMP):
        cluster, _ = index.put(sketch(text), "20260101-000001-8")
    assert (cluster.name, cluster.size) == ("20260101-000001-8", 2)
    joined, _ = index.put(sketch(DUST))
    assert joined is cluster


def test_the_oldest_are_forgotten() -> None:
    """Memory is bounded: what was forgotten is found no more, the newer still is."""
    index = ClusterIndex(kept=3)
    first = sketch(DUST)
    index.put(first)
    for text in (LAMP, NOISE, "公交车早高峰四十分钟不来一趟，大家上班都迟到"):
        index.put(sketch(text))
    assert (len(index), index.knows(first.number)) == (3, False)
    again, _ = index.put(sketch(DUST))
    assert again.size == 1
