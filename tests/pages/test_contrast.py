"""The colours of the style sheet against WCAG AA."""

import re
from importlib.resources import files

import pytest

CSS = (files("gateway") / "pages" / "static" / "citizen.css").read_text("utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{([^}]*)\}", CSS)[:2]
)
#: Text on background; WCAG 2.2 1.4.3 wants 4.5 to 1.
TEXT = [
    ("ink", "page"),
    ("ink", "card"),
    ("ink", "tint"),
    ("ink", "danger-tint"),
    ("ink", "good-tint"),
    ("soft", "page"),
    ("soft", "card"),
    ("soft", "tint"),
    ("soft", "danger-tint"),
    ("link", "page"),
    ("link", "card"),
    ("brand-ink", "brand"),
    ("danger-ink", "danger"),
    ("card", "link"),
    ("card", "soft"),
    ("card", "good"),
]
#: Borders of inputs and the focus ring; 1.4.11 wants 3 to 1.
SHAPES = [("line", "page"), ("line", "card"), ("focus", "page"), ("focus", "card")]


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb``. Source: WCAG 2.2, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    """Return the contrast ratio of two colours."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def palette(name: str) -> dict[str, str]:
    """Return the colours of a scheme."""
    return {"light": LIGHT, "dark": LIGHT | DARK}[name]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(scheme: str) -> None:
    """Every pair of text and background reaches 4.5 to 1 in both schemes."""
    colours = palette(scheme)
    weak = {(a, b): round(contrast(colours[a], colours[b]), 2) for a, b in TEXT}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_shapes_are_visible(scheme: str) -> None:
    """Borders of inputs and the focus ring reach 3 to 1 in both schemes."""
    colours = palette(scheme)
    weak = {(a, b): round(contrast(colours[a], colours[b]), 2) for a, b in SHAPES}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 3} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_error_text_is_readable(scheme: str) -> None:
    """The words of an error, which are not on a coloured ground, reach 4.5 to 1 too."""
    colours = palette(scheme)
    for ground in ("page", "card"):
        assert contrast(colours["wrong"], colours[ground]) >= 4.5


def test_the_style_sheet_loads_nothing() -> None:
    """No import, no address, no font from elsewhere."""
    assert "url(" not in CSS
    assert "@import" not in CSS
