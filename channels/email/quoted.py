"""Where the citizen's own words end and the quoted past begins.

Only whole lines that no citizen writes by hand are taken for a border, and never the first line
of a mail: a complaint may begin with somebody's 发件人 line. What is cut stays in the original.

Source: replies written with QQ, NetEase, Foxmail, Outlook, Apple Mail, Gmail, Thunderbird and
139 mail; their separator lines.
"""

import re

from channels.email.htmltext import unmarked, without_quotes

_ADDRESS = r"[^\s<>@]+@[^\s<>]+"
_DATE = r"(?:\d{4}\s*[-/年.]\s*\d{1,2}\s*[-/月.]\s*\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}:\d{2}|\d{1,2}\s*月\s*\d{1,2}\s*日)"
#: Everything behind such a line is the past.
_BORDER = re.compile(
    r"-{2,}\s*(?:原始邮件|原始郵件|原邮件|邮件原件|回复的原邮件|回覆的原郵件|转发的邮件|转发邮件信息|Original Message|Replied Message"
    r"|Original|Forwarded [Mm]essage|Forwarded [Mm]ail|转发邮件|轉寄郵件|原始信件|原始邮件信息)\s*-{2,}"
    r"|_{10,}|\u200b?\s*-{6,}\s*(?:回复|答复|回复邮件)\s*-{2,}",
    re.IGNORECASE,
)
_FORWARD = re.compile(r"转发|轉寄|forward", re.IGNORECASE)
#: Who wrote what follows, and when.
_TIME = r"\d{1,2}\s*[:：]\s*\d{2}"
_ATTRIBUTION = re.compile(
    rf"[>\s]*(?:在\s*.{{0,40}}{_DATE}.{{0,60}}{_TIME}.{{0,160}}(?:写道|寫道|写到|编写|you wrote)\s*[:：]?"
    rf"|.{{0,120}}[于於]\s*.{{0,20}}{_DATE}.{{0,40}}{_TIME}.{{0,20}}(?:写道|寫道)\s*[:：]?"
    rf"|{_DATE}.{{0,60}}[，,].{{0,100}}(?:{_ADDRESS}).{{0,20}}(?:写道|寫道|wrote)?\s*[:：]"
    rf"|On\s.{{4,200}}\d.{{0,120}}wrote\s*[:：]|At\s.{{4,80}}\d.{{0,160}}wrote\s*[:：]"
    rf"|Le\s.{{4,160}}a écrit\s*:|Am\s.{{4,160}}schrieb.{{0,80}}:)\s*",
    re.IGNORECASE,
)
#: Nearly every line lacks these, and is not looked at closer.
_MAY_ATTRIBUTE = re.compile(r"\d.*[:：]|On |At |Le |Am |在|<\S+@")
_HEAD = re.compile(
    r"[>*|\s]*(?:发件人|寄件者|寄件人|發件人|From|发信人)\**\s*[:：|]\s*.+", re.IGNORECASE
)
_HEAD_MORE = re.compile(
    r"[>*|\s]*(?:发送时间|发送日期|寄件日期|傳送時間|日期|时间|收件人|收件者|抄送|副本|主题|主\s*题|主旨|主\s*旨|发送至|Sent(?: Time)?|Date|To|Cc|Subject)\**\s*[:：|]",
    re.IGNORECASE,
)
#: What newer QQ clients put above the sender and the time.
_BARE = re.compile(r"Original|原始邮件|原始郵件")
#: What a client adds below the words. Signatures stay: they tell who writes and their telephone.
_STAMP = re.compile(
    r"\s*(?:发自我的\s*.{0,20}|發自我的\s*.{0,20}|从我的.{0,20}发送|Sent from (?:my|Mail for|Outlook).{0,30}|Get Outlook for .{0,20}"
    r"|获取\s*Outlook.{0,20}|发送自\s*Windows.{0,20}|来自\s*(?:QQ邮箱|网易邮箱|Outlook|iPhone).{0,12}|由\s*网易(?:灵犀|邮箱).{0,20}发送"
    r"|发自\s*(?:QQ邮箱|网易邮箱大师|网易邮箱|小米手机|华为手机|新浪邮箱客户端|iPhone|139邮箱).{0,12})\s*",
    re.IGNORECASE,
)


def cut(marked: str, *, forwarded: bool = False) -> str:
    """Return the citizen's own words of a text; the whole text where nothing of it is quoted.

    Args:
        marked: The text, with the marks of `htmltext.to_text` if it was a page.
        forwarded: The citizen passes somebody's mail on: what is below is their matter.
    """
    if forwarded:
        return unmarked(marked).strip()
    lines = without_quotes(marked).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = _without_past(lines)
    while kept and (not kept[-1].strip() or _STAMP.fullmatch(kept[-1])):
        kept.pop()
    return "\n".join(kept).strip()


def _without_past(lines: list[str]) -> list[str]:
    kept: list[str] = []
    begun, at = False, 0
    while at < len(lines):
        line = lines[at].replace("\xa0", " ").strip()
        if begun and (_BORDER.fullmatch(line) or _is_head(lines, at)):
            if _FORWARD.search(line):
                return kept + lines[at:]
            break
        taken = _attribution(lines, at, first=not begun)
        if taken:
            at += taken
            rest = next((text.strip() for text in lines[at:] if text.strip()), "")
            if not rest.startswith((">", "》")):
                break
            continue
        if line.startswith(">"):
            at += 1
            begun = True
            continue
        kept.append(lines[at])
        begun = begun or bool(line)
        at += 1
    return kept


def _attribution(lines: list[str], at: int, *, first: bool) -> int:
    """Return how many lines say who wrote what follows; clients wrap the sentence.

    At the head of a mail only a sentence with an address counts: a complaint may begin with what
    somebody wrote on a notice.
    """
    if not _MAY_ATTRIBUTE.search(lines[at]):
        return 0
    line = ""
    for count, part in enumerate(lines[at : at + 3], start=1):
        line = f"{line} {part.strip()}".strip()
        if len(line) > 400 or not part.strip():
            return 0
        if _ATTRIBUTION.fullmatch(line) and not (first and "@" not in line):
            return count
    return 0


def _is_head(lines: list[str], at: int) -> bool:
    """Return whether a block of sender, time, recipient and subject begins here."""
    wanted = 2
    if _BARE.fullmatch(lines[at].strip()):
        at = next((n for n in range(at + 1, min(at + 6, len(lines))) if lines[n].strip()), at)
        wanted = 1
    if not _HEAD.fullmatch(lines[at].replace("\xa0", " ")):
        return False
    more = [text for text in lines[at + 1 : at + 6] if _HEAD_MORE.match(text.replace("\xa0", " "))]
    return len(more) >= wanted
