"""The console's texts, and the colours of its style sheet."""

import re
from importlib.resources import files

import pytest

from gateway.console.roles import ROLES
from gateway.console.views import load_texts
from gateway.stylesheets import with_palette
from tests.pages.test_contrast import contrast
from tests.pages.test_texts import leaves


def test_every_text_is_used() -> None:
    """A text that no page shows is a leftover; what is done has a word in the audit."""
    package = files("gateway")
    sources = [p.read_text("utf-8") for p in (package / "console").iterdir() if p.suffix == ".py"]
    sources += [
        p.read_text("utf-8") for p in (package / "pages").iterdir() if p.name.startswith("console_")
    ]
    said = "\n".join(sources)
    texts = load_texts()
    by_value = (
        "channels.",
        "decisions.",
        "claims.",
        "ratings.",
        "events.",
        "by.",
        "roles.",
        "incident.",
    )
    by_value += ("actions.", "details.", "health.", "counts.", "delivery.states.")
    by_value += ("deadletter.states.", "routes.trouble.", "routes.conditions.")
    unused = [
        path
        for path, _ in leaves(texts)
        if not path.startswith(by_value)
        and f"t.{path}" not in said
        and f'"{path.split(".", 1)[-1]}"' not in said
    ]
    assert unused == []
    done = set(re.findall(r'(?:note|entry)\(\s*"([\w.]+)"', said)) | {
        "login",
        "logout",
        "user.added",
    }
    assert done == set(texts["actions"])
    assert set(texts["roles"]) == set(ROLES)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable(scheme: str) -> None:
    """Text on its background reaches 4.5 to 1 (WCAG 2.2 1.4.3), borders of inputs 3 to 1 (1.4.11)."""
    css = with_palette("console.css").decode()
    light, dark = (
        dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{([^}]*)\}", css)[:2]
    )
    colours = {"light": light, "dark": light | dark}[scheme]
    grounds = ("page", "card")
    text = [(a, b) for a in ("ink", "soft", "link", "wrong") for b in grounds]
    text += [
        ("ink", "tint"),
        ("ink", "danger-tint"),
        ("wrong", "danger-tint"),
        ("soft", "danger-tint"),
    ]
    text += [
        ("link", "danger-tint"),
        ("warn", "warn-tint"),
        ("ink", "warn-tint"),
        ("good", "good-tint"),
    ]
    text += [(f"{a}-ink", a) for a in ("brand", "danger", "drill")]
    weak = {pair: contrast(*(colours[c] for c in pair)) for pair in text}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    shapes = {(a, b): contrast(colours[a], colours[b]) for a in ("line", "focus") for b in grounds}
    assert {pair: ratio for pair, ratio in shapes.items() if ratio < 3} == {}
    assert "url(" not in css
    assert "@import" not in css
