"""The shipped rule packs say what their sources say, and nothing else."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.load import load_pack, shipped
from config.region import RATINGS, Refusal, Step
from normalizer.schema import Domain, RequestType

REGIONS = sorted(each.stem for each in (shipped() / "regions").glob("*.yaml"))

Q, H, C, R, S, P = (
    RequestType.CONSULTATION,
    RequestType.HELP,
    RequestType.COMPLAINT,
    RequestType.REPORT,
    RequestType.SUGGESTION,
    RequestType.PRAISE,
)


def test_the_seven_regions_are_shipped() -> None:
    """Every region that the sources describe."""
    assert REGIONS == ["changdu", "chongqing", "lhasa", "linzhi", "ningxia", "sanmenxia", "suzhou"]


@pytest.mark.parametrize(
    ("region", "label", "home", "area_code"),
    [
        ("ningxia", "宁夏回族自治区", "640000", None),
        ("suzhou", "宿州市", "341300", "0557"),
        ("chongqing", "重庆市", "500000", "023"),
        ("sanmenxia", "三门峡市", "411200", "0398"),
        ("linzhi", "林芝市", "540400", "0894"),
        ("lhasa", "拉萨市", "540100", "0891"),
        ("changdu", "昌都市", "540300", "0895"),
    ],
)
def test_a_pack_knows_where_it_is(
    region: str, label: str, home: str, area_code: str | None
) -> None:
    """A province has many area codes and so none; districts lie within the home."""
    pack = load_pack(region)
    assert (pack.label, pack.home, pack.area_code) == (label, home, area_code)
    prefix = home.rstrip("0") if len(home.rstrip("0")) % 2 == 0 else home[:2]
    assert pack.units.districts
    assert all(code.startswith(prefix) for code in pack.units.districts)


@pytest.mark.parametrize(
    ("region", "days"),
    [
        ("ningxia", {Q: 2, H: 5, C: 5, R: 5, S: 5}),
        ("suzhou", {Q: 2, H: 5, S: 5, C: 15}),
        ("chongqing", {H: 15, C: 15, R: 15, S: 15}),
        ("sanmenxia", {}),
        ("linzhi", dict.fromkeys((Q, H, C, R, S, P), 5)),
        ("lhasa", {}),
        ("changdu", {}),
    ],
)
def test_limits_are_the_sources_and_silence_stays_silence(
    region: str, days: dict[RequestType, int]
) -> None:
    """Working days to finish by type; a type that is not named has no limit."""
    finish = load_pack(region).limits.finish
    assert {kind: step.working_days for kind, step in finish.items()} == days


def test_sanmenxia_merges_23_hotlines_in_three_ways() -> None:
    """12 whole, 9 with both numbers, 2 sub-centres, as the annex lists them."""
    pack = load_pack("sanmenxia")
    modes = [each.mode for each in pack.hotlines]
    assert [modes.count(mode) for mode in ("merged", "both", "subcentre")] == [12, 9, 2]
    assert [each.number for each in pack.hotlines if each.experts] == [
        "12320",
        "12329",
        "12333",
        "12348",
    ]
    assert pack.unit_of_number["12315"] == "市市场监管局"
    assert pack.unit_of_number["96119"] == "市消防救援支队"
    assert {"110", "119", "120", "122", "12316"} < {each.number for each in pack.apart}


def test_only_two_sources_list_refusals() -> None:
    """Suzhou and Chongqing; no other city's citizen is turned away by their rules."""
    listed = {name for name in REGIONS if load_pack(name).acceptance.refused}
    assert listed == {"suzhou", "chongqing"}


def test_rules_for_later_steps_are_kept() -> None:
    """Ratings, returns, extensions, callbacks and supervision of each region."""
    ningxia, suzhou, changdu = map(load_pack, ("ningxia", "suzhou", "changdu"))
    assert ningxia.rating_scale == ("very_satisfied", "satisfied", "dissatisfied")
    assert suzhou.rating_scale == RATINGS
    assert ningxia.extension is not None
    assert (ningxia.extension.at_most, ningxia.extension.each) == (2, 5)
    assert suzhou.extension is not None
    assert (suzhou.extension.within_original, suzhou.extension.apply_before) == (True, 1)
    assert suzhou.returns is not None
    assert suzhou.returns.late_counts_as_accepted is True
    assert ningxia.returns is not None
    assert ningxia.returns.late_counts_as_accepted is None
    assert changdu.supervision is not None
    assert (changdu.supervision.same_matter, changdu.supervision.same_unit) == (10, 10)
    assert changdu.callback is not None
    assert changdu.callback.share == 1.0


@pytest.mark.parametrize("region", REGIONS)
def test_every_rule_cites_a_document(region: str) -> None:
    """By the title that people know."""
    pack = load_pack(region)
    assert not list(pack.miscited())
    assert pack.cite(pack.units.basis).startswith("《")


def test_clauses_of_one_document_are_cited_together() -> None:
    """Title once, each clause once."""
    pack = load_pack("sanmenxia")
    assert pack.cite("plan 附件一", "plan 附件二", "plan 附件一", "gbt2260") == (
        "《三门峡市进一步优化政务服务便民热线实施方案》（三政办〔2021〕26号）附件一、附件二；"
        "《中华人民共和国行政区划代码》（GB/T 2260）"
    )


@pytest.mark.parametrize("region", REGIONS)
def test_units_that_the_pack_itself_names_can_be_routed_to(region: str) -> None:
    """And those that every region's departments go by."""
    pack = load_pack(region)
    assert pack.units.default in pack.unit_names
    assert set(pack.units.domains.values()) <= pack.unit_names
    assert {"市市场监管局", "市长热线办"} <= pack.unit_names
    assert "市魔法局" not in pack.unit_names


def test_suzhou_has_a_unit_for_most_fields() -> None:
    """All but three fields that no single department has."""
    missing = set(Domain) - set(load_pack("suzhou").units.domains)
    assert missing == {Domain.UTILITIES, Domain.GOVERNMENT, Domain.OTHER}


@pytest.mark.parametrize(
    "measures",
    [
        {},
        {"working_days": 1, "hours": 2},
        {"same_day": True, "days": 1},
        {"working_days": 0},
        {"hours": -1},
        {"working_days": 5, "since": "whenever"},
    ],
)
def test_a_step_has_exactly_one_measure(measures: dict[str, object]) -> None:
    """A limit of two lengths or of none is a mistake."""
    with pytest.raises(ValidationError):
        Step.model_validate({**measures, "basis": "x"})


def test_a_referral_says_to_whom() -> None:
    """Otherwise it is a refusal."""
    rule = {
        "name": "a",
        "decision": "referred",
        "reason": "r",
        "basis": "b",
        "triggers": ["t"],
        "match": ["t"],
    }
    with pytest.raises(ValidationError, match="refer_to"):
        Refusal.model_validate(rule)
    assert Refusal.model_validate({**rule, "refer_to": "x"}).match[0].pattern == "t"


def test_a_pack_beside_a_file_is_found(tmp_path: Path) -> None:
    """A region of the site's own that is not shipped."""
    (tmp_path / "regions").mkdir()
    text = (shipped() / "regions" / "lhasa.yaml").read_text()
    (tmp_path / "regions" / "naqu.yaml").write_text(text.replace("name: lhasa", "name: naqu"))
    assert load_pack("naqu", tmp_path / "gateway.yaml").label == "拉萨市"
