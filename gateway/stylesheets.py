"""Style sheets of the pages for desks and operators: one palette before each one's own styles."""

from importlib import resources


def with_palette(name: str) -> bytes:
    """Return a style sheet as it is sent, the palette first."""
    folder = resources.files("gateway") / "pages" / "static"
    return (folder / "palette.css").read_bytes() + b"\n" + (folder / name).read_bytes()
