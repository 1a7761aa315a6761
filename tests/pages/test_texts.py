"""The pages' texts in two languages."""

import re
import string
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import pytest

from channels.web.georeport import ATTRIBUTES
from channels.web.submission import LIMITS, TEXT_LIMIT
from gateway.portal.page_views import LANGUAGES, load_texts, preferred_language
from gateway.view import STATUS_AFTER
from normalizer.schema import EMERGENCY_SERVICES, LABELS, Domain, RequestType, Status

ZH, EN = load_texts("zh"), load_texts("en")


def leaves(texts: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in texts.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield path + key, value


def places(text: object) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(str(text)) if name}


def test_both_languages_have_the_same_texts() -> None:
    """No text is missing in a language, and none is filled with other values."""
    zh, en = dict(leaves(ZH)), dict(leaves(EN))
    assert set(zh) == set(en)
    free = {"time.format"}  # each language has its own order of a date
    differing = {key for key in set(zh) - free if places(zh[key]) != places(en[key])}
    assert differing == set()


def test_the_chinese_texts_are_chinese_and_the_english_ones_are_not() -> None:
    """Nothing was left untranslated."""
    names = {"site.other_name", "site.other_lang", "site.lang", "time.months"}
    cjk = re.compile(r"[\u4e00-\u9fff]")
    assert [k for k, v in leaves(EN) if k not in names and cjk.search(str(v))] == []
    assert [k for k, v in leaves(ZH) if k not in names and not cjk.search(str(v))] == []


def test_every_enumerated_value_has_a_word() -> None:
    """Whatever the core can say, the pages can show."""
    for texts in (ZH, EN):
        assert set(texts["types"]) == set(texts["type_hints"]) == set(RequestType)
        assert set(texts["status"]) == set(texts["status_hints"]) == set(Status)
        assert set(texts["emergency"]["numbers"]) == set(EMERGENCY_SERVICES)
        assert set(STATUS_AFTER) <= set(texts["events"])
        assert {f"{name}_oversized" for name in LIMITS} - set(texts["errors"]) == {
            "language_oversized"
        }


def test_every_service_and_attribute_of_open311_has_its_words() -> None:
    """A client can show all of them, by the names that the back office knows."""
    for texts in (ZH, EN):
        words = texts["open311"]
        assert set(words["services"]) == set(Domain)
        assert set(words["attributes"]) == set(ATTRIBUTES)
        assert set(words["languages"]) == set(LANGUAGES)
    names = {code: each["name"] for code, each in ZH["open311"]["services"].items()}
    assert names == {domain.value: LABELS[domain] for domain in Domain}


def test_the_texts_tell_the_real_limits() -> None:
    """The numbers in the hints are those that the codec enforces."""
    for texts in (ZH, EN):
        assert f"{TEXT_LIMIT:,}" in texts["form"]["text_hint"]
        for name in ("title", "address", "name", "email"):
            assert str(LIMITS[name]) in texts["errors"][f"{name}_oversized"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_hides_behind_a_method(language: str) -> None:
    """In a template ``t.a.copy`` is the method of a dict, so no text may have such a name."""
    names = {part for path, _ in leaves(load_texts(language)) for part in path.split(".")}
    assert names & set(dir(dict)) == set()


def test_every_text_is_used() -> None:
    """A text that no page shows is a leftover."""
    folder = files("gateway")
    sources = [
        (folder / f"{name}.py").read_text("utf-8")
        for name in (
            "portal/pages",
            "portal/progress_pages",
            "portal/routes",
            "portal/page_views",
            "portal/open311",
        )
    ]
    sources += [
        p.read_text("utf-8") for p in (folder / "pages").iterdir() if p.name.endswith(".html")
    ]
    said = "\n".join(sources)
    # Looked up by a value: a status, an event, the name of a limit …
    by_value = (
        "types.",
        "type_hints.",
        "status",
        "events.",
        "by.",
        "ratings.",
        "errors.",
        "emergency.numbers.",
        "failure.",
        "summary.",
        "ticket.done_",
        "open311.services.",
        "open311.attributes.",
        "open311.hints.",
        "open311.languages.",
    )
    by_name = {
        "ticket.dispatch_by",
        "ticket.sign_by",
        "ticket.contact_by",
        "ticket.finish_by",
        "ticket.refused_step",
        "progress.unknown",
        "progress.too_many",
        "code.too_many",
    }
    unused = [
        path
        for path, _ in leaves(ZH)
        if not path.startswith(by_value)
        and path not in by_name
        and f"t.{path}" not in said
        and f'["{path.split(".")[-1]}"]' not in said
    ]
    assert unused == ["form.latitude", "form.longitude", "form.language"]  # names for errors


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9", "en"),
        ("fr,en;q=0.4", "en"),
        ("fr", "zh"),
        ("en;q=0.2, zh-Hant;q=0.7", "zh"),
        ("EN", "en"),
        ("*", "zh"),
        ("en;q=0", "zh"),
        ("en;q=....., zh;q=x,,;", "zh"),
    ],
)
def test_the_browsers_language_is_taken(header: str, language: str) -> None:
    """The language that the browser weighs most is shown; Chinese where it names neither."""
    assert preferred_language(header) == language
