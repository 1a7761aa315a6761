"""The closing table, as wide as the terminal; a Chinese character takes two columns."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from gateway.demo.story import Sent
from gateway.demo.verdict import ADDED, Run

NARROWEST, WIDEST = 80, 140
_GAP = "  "
#: What channels are called in the first column.
_LABELS = {
    "web": "app",
    "form": "web form",
    "wechat": "WeChat",
    "sms": "text message",
    "email": "e-mail",
    "webhook": "partner",
    "phone": "telephone",
}
_HEAD = ("channel", "citizen sent", "ticket", "went to", "citizen was told")
#: Columns of the first and the third cell; the others share what is left, so many parts each.
_CHANNEL, _TICKET, _SHARES = 14, 17, (12, 11, 18)
#: Lines of each cell at most; a longer text ends with an ellipsis.
_LINES = (4, 4, 4, 9, 4)
#: What is not cut: times, words, and a character with the marks that may not begin or end a line.
_PIECE = re.compile(r"[（“《【]?(?:[0-9]+ ms:? ?|[!-~]+ ?|.)[，。！？；：、）”》】]*", re.DOTALL)

Row = tuple[Sequence[str], ...]


def table(run: Run, columns: int) -> str:
    """Return one row for each thing that was sent."""
    width = fitting(columns)
    free = width - _CHANNEL - _TICKET - 4 * len(_GAP)
    said, went, told = (free * share // sum(_SHARES) for share in _SHARES)
    widths = (_CHANNEL, said, _TICKET, went, told)
    lines = [_line(_HEAD, widths), _line(["─" * w for w in widths], widths)]
    for one in run.sent:
        lines += _laid(_row(run, one), widths)
        lines.append("")
    return "\n".join(lines[:-1])


def fitting(columns: int) -> int:
    """Return the width that is used of a terminal."""
    return max(NARROWEST, min(WIDEST, columns))


def folded(text: str, columns: int) -> str:
    """Return paragraphs, each in lines that a terminal does not break."""
    width = fitting(columns)
    return "\n".join(line for each in text.split("\n") for line in _wrapped(each, width))


def _row(run: Run, one: Sent) -> Row:
    scene = one.scene
    return (
        (_LABELS.get(scene.channel, scene.channel), scene.how),
        (scene.text,),
        (one.number or "none", *_became(run, one)),
        tuple(_destinations(run, one)),
        (f"{_ms(one.answered_at, one)}: {' '.join(one.answer.split()) or 'nothing'}",),
    )


def _became(run: Run, one: Sent) -> Iterator[str]:
    """Yield what is said below the number."""
    ticket = run.ticket(one.number)
    if one.scene.becomes == "repeat":
        yield "the same ticket"
    elif one.scene.becomes == "addition":
        yield "added to it"
    elif ticket:
        yield f"{ticket['urgency_label']} {ticket['type_label']}"


def _destinations(run: Run, one: Sent) -> Iterator[str]:
    """Yield where it went, with the milliseconds from sending to arrival."""
    if one.scene.becomes == "repeat":
        yield "nowhere again"
        return
    for service, at in sorted(run.reached(one.number).items(), key=lambda each: each[1]):
        yield f"desk {service} {_ms(at, one)}"
    pushes = run.accepted(one.number)
    if one.scene.becomes == "addition":
        pushes = run.office.of(one.number, ADDED)[-1:]
    ticket = run.ticket(one.number)
    for push in pushes:
        yield f"{ticket['route']['unit'] or 'back office'} {_ms(push.at, one)}"


def _ms(at: float, one: Sent) -> str:
    return f"{(at - one.sent_at) * 1000:.0f} ms"


# Laying out


def _laid(row: Row, widths: Sequence[int]) -> list[str]:
    """Return a row as lines of the table."""
    cells = [
        _cell(paragraphs, w, most) for paragraphs, w, most in zip(row, widths, _LINES, strict=True)
    ]
    height = max(map(len, cells))
    return [_line([c[n] if n < len(c) else "" for c in cells], widths) for n in range(height)]


def _cell(paragraphs: Sequence[str], width: int, most: int) -> list[str]:
    lines = [line for paragraph in paragraphs for line in _wrapped(paragraph, width)]
    if len(lines) <= most:
        return lines
    last = lines[most - 1]
    while columns_of(last) > width - 1:
        last = last[:-1]
    return [*lines[: most - 1], f"{last}…"]


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Yield a text in lines, cut between words and between Chinese characters."""
    line = ""
    for piece in _pieces(text, width):
        if line and columns_of(line + piece.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += piece
    if line.strip():
        yield line.rstrip()


def _pieces(text: str, width: int) -> Iterator[str]:
    """Yield what a text is cut between; nothing is wider than a line."""
    for piece in _PIECE.findall(text):
        rest = piece
        while columns_of(rest.rstrip()) > width:
            fits = next(n for n in range(len(rest), 0, -1) if columns_of(rest[:n]) <= width)
            yield rest[:fits]
            rest = rest[fits:]
        yield rest


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (w - columns_of(cell)) for cell, w in zip(cells, widths, strict=True)]
    return _GAP.join(padded).rstrip()


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
