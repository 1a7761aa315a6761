"""Replies as clients write them: what is cut, and what must not be."""

from tests.channels.email.vectors.building import Case, mail

OWN = "补充：积水已经到一楼窗台了。"
PAST = "您的诉求已受理。工单编号 20261122-000123-7。"
_ADDRESS = "12345@city.example"
_NOTES = "engineering notes §3.3"


def _cut(label: str, below: str, source: str = _NOTES, *, own: str = OWN, mark: str = "") -> Case:
    body = f"{own}\r\n\r\n{below}\r\n{mark}{PAST}\r\n"
    return Case(label, mail(body.encode()), source, text=own, kept=(PAST, own), lacks=(PAST,))


def _page(label: str, below: str, source: str = _NOTES) -> Case:
    page = f"<div>{OWN}</div>{below}"
    return Case(
        label,
        mail(page.encode(), content=b"text/html; charset=utf-8"),
        source,
        text=OWN,
        kept=(PAST,),
        lacks=(PAST,),
    )


def _whole(label: str, text: str, **fields: bytes) -> Case:
    return Case(
        label,
        mail(text.replace("\n", "\r\n").encode(), **fields),
        "negative: must survive",
        text=text,
    )


TEXTS = (
    _cut(
        "QQ",
        '------------------ 原始邮件 ------------------\r\n发件人: "12345" <12345@city.example>;\r\n发送时间: 2026年11月22日(星期日) 上午10:20\r\n收件人: "张三";\r\n主题: 回执',
    ),
    _cut(
        "QQ with hard spaces",
        "------------------&nbsp;原始邮件&nbsp;------------------".replace("&nbsp;", "\u00a0"),
    ),
    _cut("QQ mobile", f'在 2026-11-22 10:20:11，"12345" <{_ADDRESS}> 写道：'),
    _cut(
        "NetEase Master",
        "---- 回复的原邮件 ----\r\n| 发件人 | 12345 |\r\n| 日期 | 2026年11月22日 |",
    ),
    _cut("NetEase Master in English", "---- Replied Message ----"),
    _cut("NetEase web", f'At 2026-11-22 10:20:11, "12345" <{_ADDRESS}> wrote:'),
    _cut("NetEase web in Chinese", f'在 2026-11-22 10:20:11，"市长热线" <{_ADDRESS}> 写道：'),
    _cut(
        "Outlook",
        f"-----邮件原件-----\r\n发件人: 12345 <{_ADDRESS}>\r\n发送时间: 2026年11月22日 10:20\r\n收件人: 张三\r\n主题: 回执",
    ),
    _cut(
        "Outlook without a line",
        f"发件人: 12345 <{_ADDRESS}>\r\n发送时间: 2026年11月22日 10:20\r\n收件人: 张三\r\n主题: 回执",
    ),
    _cut(
        "Outlook mobile",
        f"________________________________\r\n发件人: 12345 <{_ADDRESS}>\r\n发送时间: 2026年11月22日\r\n收件人: 张三\r\n主题: 回执",
    ),
    _cut(
        "Foxmail", "发件人： 12345\r\n发送时间： 2026-11-22 10:20\r\n收件人： 张三\r\n主题： 回执"
    ),
    _cut(
        "Foxmail in traditional characters",
        "寄件者: 12345\r\n寄件日期: 2026年11月22日\r\n收件者: 張三\r\n主旨: 回執",
    ),
    _cut(
        "Apple Mail",
        f"> 在 2026年11月22日，上午10:20，市长热线 <{_ADDRESS}> 写道：\r\n> 您好",
        mark="> ",
    ),
    _cut(
        "Apple Mail without the mark", f"在 2026年11月22日，上午10:20，市长热线 <{_ADDRESS}> 写道："
    ),
    _cut(
        "iPhone",
        f"发自我的 iPhone\r\n\r\n> 在 2026年11月22日，10:20，12345 <{_ADDRESS}> 写道：\r\n> \r\n> 您好",
        mark="> ",
    ),
    _cut("Thunderbird", "在 2026/11/22 10:20, 12345 写道:"),
    _cut("Gmail in Chinese", f"12345 <{_ADDRESS}> 于2026年11月22日周日 10:20写道："),
    _cut("Gmail in Chinese, two lines", f"12345 <{_ADDRESS}>\r\n于2026年11月22日周日 10:20写道："),
    _cut(
        "Gmail in traditional characters",
        f"12345 <{_ADDRESS}> 於 2026年11月22日 週日 上午10:20寫道：",
    ),
    _cut("Gmail in English", f"On Sun, Nov 22, 2026 at 10:20 AM 12345 <{_ADDRESS}> wrote:"),
    _cut(
        "Gmail in English, two lines",
        f"On Sun, Nov 22, 2026 at 10:20 AM 12345 <\r\n{_ADDRESS}> wrote:",
    ),
    _cut(
        "Outlook in English",
        f"-----Original Message-----\r\nFrom: 12345 <{_ADDRESS}>\r\nSent: Sunday\r\nTo: Zhang\r\nSubject: x",
    ),
    _cut(
        "Outlook in English without a line",
        f"From: 12345 <{_ADDRESS}>\r\nSent: Sunday\r\nTo: Zhang\r\nSubject: x",
    ),
    _cut("139 mail", "-----原始邮件-----\r\n发件人：12345"),
    _cut("a rating as answer", "------------------ 原始邮件 ------------------", own="1"),
    _cut(
        "a stamp below the words",
        f'发自我的华为手机\r\n\r\n在 2026-11-22 10:20:11，"12345" <{_ADDRESS}> 写道：',
    ),
    Case(
        "words below the quoted ones",
        mail(
            f"在 2026/11/22 10:20, 12345 <{_ADDRESS}> 写道:\r\n> {PAST}\r\n> 请补充地点。\r\n\r\n地点是某路1号。".encode()
        ),
        _NOTES,
        text="地点是某路1号。",
        kept=(PAST,),
    ),
    Case(
        "words between the quoted ones",
        mail("> 地点在哪里？\r\n某路1号。\r\n> 电话？\r\n13800138000\r\n".encode()),
        _NOTES,
        text="某路1号。\n13800138000",
    ),
    Case(
        "nothing but quoted words",
        mail(
            f'\r\n在 2026-11-22 10:20:11，"12345" <{_ADDRESS}> 写道：\r\n{PAST}'.encode(),
            extra=b"In-Reply-To: <a@city.example>\n",
        ),
        "invented: an answer sent too early",
        text="",
        kept=(PAST,),
    ),
)

PAGES = (
    _page("NetEase page", f'<blockquote id="isReplyContent" style="x"><p>{PAST}</p></blockquote>'),
    _page("NetEase Master page", f'<div class="ntes-mailmaster-quote"><div>{PAST}</div></div>'),
    _page("NetEase card", f'<div id="divNeteaseMailCard"></div><div>{PAST}</div>'),
    _page(
        "Gmail page",
        f'<div class="gmail_quote gmail_quote_container"><div>12345 wrote</div><div>{PAST}</div></div>',
    ),
    _page(
        "Outlook page",
        f'<hr><div id="divRplyFwdMsg" dir="ltr"><b>发件人:</b> 12345</div><div>{PAST}</div>',
    ),
    _page("Outlook mobile page", f'<div id="appendonsend"></div><p>{PAST}</p>'),
    _page("Apple page", f'<blockquote type="cite"><div>{PAST}</div></blockquote>'),
    _page(
        "Thunderbird page",
        f'<div class="moz-cite-prefix">在 2026/11/22 写道:</div><blockquote type="cite">{PAST}</blockquote>',
    ),
    _page("139 page", f'<div id="reply139content"><div>{PAST}</div></div>'),
    _page(
        "QQ page",
        f"<div>------------------&nbsp;原始邮件&nbsp;------------------</div><div>发件人: 12345</div><div>{PAST}</div>",
    ),
    Case(
        "page with words below the quoted ones",
        mail(
            f'<blockquote type="cite"><div>{PAST}<div>x</div></div></blockquote><div>{OWN}</div>'.encode(),
            content=b"text/html; charset=utf-8",
        ),
        _NOTES,
        text=OWN,
    ),
)

WHOLE = (
    _whole(
        "a complaint that begins with a sender",
        "发件人: 某公司客服\n收件人：我\n他们一直发垃圾短信，请查处。",
    ),
    _whole("a notice is quoted in a sentence", "物业公告里写道：下周停水三天。这合理吗？"),
    _whole("a notice with its day", "在2026年11月1日的公告里写道：\n下周停水三天。这合理吗？"),
    _whole(
        "a word on a line of its own",
        "我的诉求如下\n原始邮件\n发件人: 某公司\n他们不回复，请查处。",
    ),
    _whole("a list of dashes", "我的诉求：\n----\n路灯不亮\n----\n请修理"),
    _whole("a date at the head of a line", "2026年11月22日10:20，我在某路看到\n积水很深。"),
    _whole("a signature with a telephone", "路灯不亮。\n--\n张三\n13800138000"),
    Case(
        "a mail that is passed on",
        mail(
            f"请看：\r\n\r\n---------- Forwarded message ---------\r\nFrom: a\r\nDate: b\r\nTo: c\r\n{OWN}".encode(),
            subject="转发：积水".encode(),
        ),
        "negative: the matter is below",
        holds=(OWN, "请看"),
    ),
)

CASES = (*TEXTS, *PAGES, *WHOLE)
