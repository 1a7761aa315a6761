"""Whole mails as clients really send them: fields, order, encodings and quotes of each.

The structure is that of captured mails, which the source of each names: public list archives and
the fixtures of other mail programs. Words, names and addresses are ours.
"""

import base64
import quopri

from tests.channels.email.vectors.building import OURS, Case, b64

OWN = "小区地下车库积水，已经没过膝盖。"
PAST = "您的诉求已受理。工单编号 20261122-000123-7。"
_US = OURS.encode()
_LIST = "mails of {} in the archives of vger.kernel.org and lists.linux.it"
_DESK = "replies in the tests of the help desk FreeScout (NetEase, 139, QQ)"


def _head(*lines: bytes, subject: str = "回复: 积水", charset: str = "gb18030") -> bytes:
    word = base64.b64encode(subject.encode(charset)).decode()
    told = f"Subject: =?{charset}?B?{word}?=".encode()
    return b"\r\n".join((*lines, b"To: <" + _US + b">", told, b"MIME-Version: 1.0"))


def _two(border: bytes, charset: str, text: str, page: str, encoding: str = "base64") -> bytes:
    """Return the two forms of one text, as most clients send them."""

    def body(words: str) -> bytes:
        octets = words.encode(charset)
        return b64(octets) if encoding == "base64" else quopri.encodestring(octets)

    told = f'charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()
    return (
        b"--" + border + b"\r\nContent-Type: text/plain;\r\n\t" + told + body(text) + b"\r\n"
        b"--" + border + b"\r\nContent-Type: text/html;\r\n\t" + told + body(page) + b"\r\n"
        b"--" + border + b"--\r\n"
    )


def _one(head: bytes, kind: bytes, body: bytes, encoding: bytes = b"base64") -> bytes:
    coded = {b"base64": b64, b"quoted-printable": quopri.encodestring}.get(encoding, bytes)
    return (
        head
        + b"\r\nContent-Type: "
        + kind
        + b"\r\nContent-Transfer-Encoding: "
        + encoding
        + b"\r\n\r\n"
        + coded(body)
    )


def _cut(label: str, raw: bytes, source: str, **more: object) -> Case:
    expected: dict[str, object] = {"text": OWN, "kept": (OWN, PAST), "lacks": (PAST,)}
    return Case(label, raw, source, **(expected | more))  # type: ignore[arg-type]


_QQ = _head(
    b"X-QQ-mid: webmail813t1764247428t9mcnz6j",
    b"X-QQ-XMAILINFO: M3cUO7vMX4ch2YmjNiUP31pPR+KCru/X70X4KyDez39ag5IkHyUPzOHQARi1q/\r\n"
    b"\t JBJdT7nNWBBLSyCc78UyMwE82n9EnmbiWrOvl01OQRsXMGHAvioq09eyrjr2+0vyRN2kcc5+LOCy",
    b"From: =?gb18030?B?" + base64.b64encode("张三".encode("gb18030")) + b"?= <zs@qq.example>",
    b"X-Priority: 3",
    b"Message-ID: <tencent_6D9A9A8F6E490FEB741C0F18C30643DA9F07@qq.example>",
    b"X-QQ-MIME: TCMime 1.0 by Tencent",
    b"X-Mailer: QQMail 2.x",
    b"Date: Thu, 26 Nov 2026 20:43:48 +0800",
)
_NEXT = b"----=_NextPart_6926F884_0B5C4A60_6E1C0B2D"
_QQ_TABLE = (
    '<table data-uneditable="true" style="line-height: 20px;"><tbody><tr><td><div><span>From:</span>'
    "<span>12345</span> <span>&lt;12345@city.example&gt;</span></div><div><span>Sent Time:</span>"
    f"<span>Nov 22, 2026 10:01</span></div></td></tr></tbody></table><div><br></div><div>{PAST}</div>"
)


def _qq_new(line: str) -> str:
    return (
        f'<p><span>{OWN}</span></p><div><br></div><article style="line-height: 1.43;"><div style="display:flex'
        ';align-items:center;padding-top:8px" contenteditable="false">\n        <div style="color:#959DA6;'
        f'font-size:12px;line-height:30px">{line}</div>\n        <hr style="flex-grow:1">\n      </div>'
        f"{_QQ_TABLE}</article>"
    )


def _qq(text: str, page: str) -> bytes:
    told = b'multipart/alternative;\r\n\tboundary="' + _NEXT + b'"'
    parts = _two(_NEXT, "gb18030", text, page)
    return _one(_QQ, told, b"This is a multi-part message in MIME format.\r\n\r\n" + parts, b"8Bit")


_QQ_OLD = (
    f'{OWN}\n\n\n\n------------------&nbsp;原始邮件&nbsp;------------------\n发件人: "12345" &lt;{OURS}&gt;;\n'
    f'发送时间:&nbsp;2026年11月22日(星期天) 上午10:20\n收件人:&nbsp;"张三"&lt;zs@qq.example&gt;;\n\n主题:&nbsp;回执\n\n{PAST}'
)
QQ = (
    _cut(
        "QQ web, both forms",
        _qq(
            _QQ_OLD.replace("&nbsp;", "\u00a0").replace("&lt;", "<").replace("&gt;", ">"),
            "<div>" + _QQ_OLD.replace("\n", "</div><div>") + "</div>",
        ),
        _LIST.format("qq.com and foxmail.com") + ": X-QQ-XMAILINFO, tencent_ ids",
        sender="zs@qq.example",
        subject="回复: 积水",
    ),
    _cut(
        "QQ of 2025, page, Original",
        _one(_QQ, b'text/html;\r\n\tcharset="gb18030"', _qq_new("Original").encode("gb18030")),
        _DESK,
    ),
    _cut(
        "QQ of 2025, page, 原始邮件",
        _one(_QQ, b'text/html;\r\n\tcharset="gb18030"', _qq_new("原始邮件").encode("gb18030")),
        _DESK,
    ),
    _cut(
        "QQ of 2025, text",
        _one(
            _QQ,
            b'text/plain;\r\n\tcharset="gb18030"',
            (
                f"{OWN}\r\n\r\n         Original\r\n         \r\n       \r\nFrom:12345 <{OURS}>\r\n"
                f"Sent Time:Nov 22, 2026 10:01\r\n\r\n{PAST}"
            ).encode("gb18030"),
        ),
        _DESK,
    ),
)

_FOX = _head(
    b"Date: Thu, 26 Nov 2026 14:00:00 +0800",
    b'From: "zs@some.example" <zs@some.example>',
    b"References: <202611220949@city.example>, \r\n <20261122100000@city.example>",
    b"X-Priority: 3",
    b"X-GUID: 956159EF-FD27-453A-8D42-10C8FAAC246B",
    b"X-Has-Attach: yes",
    b"X-Mailer: Foxmail 7.2.25.254[cn]",
    b"Message-ID: <2026112614000025447773@some.example>",
    charset="GB2312",
)
_OUTER, _INNER = b"----=_001_NextPart575676200741_=----", b"----=_002_NextPart477020825382_=----"
_FOX_TEXT = (
    f"{OWN}\r\n\r\n\r\n\r\nzs@some.example\r\n \r\n发件人： 12345\r\n发送时间： 2026-11-22 10:20\r\n"
    f"收件人： zs\r\n主题： 回执\r\n{PAST}\r\n"
)
_FOX_PAGE = (
    f'<html><head><meta http-equiv="content-type" content="text/html; charset=GB2312"><style>body {{ '
    f"line-height: 1.5; }}</style></head><body>\r\n<div><span></span>{OWN}</div><div><br></div><hr "
    'style="width: 210px; height: 1px;" color="#b5c4df" size="1" align="left">\r\n<div><span>zs@some.example'
    '</span></div>\r\n<blockquote style="margin-top: 0px;"><div>&nbsp;</div><div style="border:none;border-top'
    ':solid #B5C4DF 1.0pt;padding:3.0pt 0cm 0cm 0cm"><div style="font-size: 12px;background:#efefef">'
    f'<div><b>发件人：</b>&nbsp;<a href="mailto:{OURS}">12345</a></div><div><b>发送时间：</b>&nbsp;'
    "2026-11-22&nbsp;10:20</div><div><b>收件人：</b>&nbsp;zs</div><div><b>主题：</b>&nbsp;回执</div></div>"
    f"</div><div>{PAST}</div></blockquote>\r\n</body></html>"
)
_FOX_NAME = b"=?GB2312?B?" + base64.b64encode("积水.txt".encode("gbk")) + b"?="
FOXMAIL = (
    _cut(
        "Foxmail 7, file beside both forms",
        _one(
            _FOX,
            b'multipart/mixed;\r\n\tboundary="' + _OUTER + b'"',
            b"This is a multi-part message in MIME format.\r\n\r\n--"
            + _OUTER
            + b'\r\nContent-Type: multipart/alternative;\r\n\tboundary="'
            + _INNER
            + b'"\r\n\r\n\r\n'
            + _two(_INNER, "GB2312", _FOX_TEXT, _FOX_PAGE)
            + b"\r\n--"
            + _OUTER
            + b'\r\nContent-Type: application/octet-stream;\r\n\tname="'
            + _FOX_NAME
            + b'"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n\tfilename="'
            + _FOX_NAME
            + b'"\r\n\r\n'
            + b64(b"words")
            + b"\r\n--"
            + _OUTER
            + b"--\r\n",
            b"8bit",
        ),
        _LIST.format("Foxmail 7.2") + ", 2020 to 2024: two borders, preamble, X-GUID",
        text=f"{OWN}\n\n\n\nzs@some.example",
        files=("积水.txt",),
    ),
    _cut(
        "Foxmail 7, page alone",
        _one(
            _FOX, b'text/html;\r\n\tcharset="GB2312"', _FOX_PAGE.encode("gbk"), b"quoted-printable"
        ),
        _LIST.format("Foxmail 7.2"),
        text=f"{OWN}\n\nzs@some.example",
    ),
    _cut(
        "FoxMail 3 of 2002",
        _one(
            _head(
                b"Date: Wed, 20 Feb 2002 9:56:28 +0800",
                b"From: Zhang San <zs@ict.example>",
                b"X-mailer: FoxMail 3.11 Release [cn]",
                charset="GB2312",
            ),
            b'text/plain; charset="GB2312"',
            f"{OWN}\r\n\r\n\r\n在 2026-11-22 10:09:00 you wrote：\r\n>{PAST}\r\n".encode("gbk"),
            b"quoted-printable",
        ),
        _LIST.format("FoxMail 3.11 [cn]") + ", 2002",
    ),
)

_COREMAIL = _head(
    b"From: =?GBK?B?" + base64.b64encode("张三".encode("gbk")) + b"?= <zs@126.example>",
    b"Date: Thu, 26 Nov 2026 14:00:00 +0800 (CST)",
    b"X-Priority: 3",
    b"X-Mailer: Coremail Webmail Server Version XT5.0.13 build 20210622(1d4788a8)\r\n"
    b" Copyright (c) 2002-2026 www.mailtech.cn 126com",
    b"In-Reply-To: <877d7hoe2i.fsf@city.example>",
    b"References: <20261122@city.example>\r\n <877d7hoe2i.fsf@city.example>",
    b"Message-ID: <3c0443f.3b82.1804ffdcdeb.Coremail.zs@126.example>",
    b"X-Coremail-Locale: zh_CN",
    b"X-CM-TRANSID: KcqowADn9t5ETWJizOERAA--.42288W",
    b"X-CM-SenderInfo: p2kd0y5xqn3xasqqmqqrswhudrp/1tbiuRrqqlpD8lA2UwACs-",
    charset="GBK",
    subject="回复:回复: 积水",
)
_CARD = (
    '<div style="margin-bottom:1em;font-size:12px"><table><tr><td>发件人</td><td>12345 &lt;12345@city.example'
    f"&gt;</td></tr><tr><td>主题</td><td>回执</td></tr></table></div><div>{PAST}</div>"
)
NETEASE = (
    _cut(
        "126 web, text quoted by angles",
        _one(
            _COREMAIL,
            b"text/plain; charset=GBK",
            (
                f"{OWN}\n\n>-----邮件原件-----\n>发件人: 12345 <{OURS}> \n>发送时间: 2026年11月22日 13:57\n"
                f">收件人: 张三 <zs@126.example>\n>主题: 回执\n>\n>{PAST}\n"
            ).encode("gbk"),
        ),
        _LIST.format("Coremail webmail (126)") + ", 2022",
    ),
    _cut(
        "163 web, page with a card",
        _one(
            _COREMAIL,
            b"text/html; charset=GBK",
            (
                f'<div style="line-height:1.7;color:#000000;font-size:14px;font-family:Arial"><div>{OWN}</div>'
                '<div id="divNeteaseMailCard"></div><p>在 2026-11-22 18:28:31，"12345" &lt;12345@city.example&gt; 写道：'
                f'</p><blockquote id="isReplyContent" style="PADDING-LEFT: 1ex"><div>{PAST}</div></blockquote></div>'
            ).encode("gbk"),
        ),
        _DESK,
    ),
    *(
        _cut(
            f"NetEase Master, page, class {name}",
            _one(
                _COREMAIL,
                b"text/html; charset=utf-8",
                (
                    f'<div>{OWN}</div><div id="imail_signature" class="ntes-signature"></div><div class="{name}" '
                    'style="padding-top: 1px"><div style="margin-top: 2em">---- 回复的原邮件 ----</div>'
                    f"{_CARD}</div>"
                ).encode(),
            ),
            _DESK + "; " + _LIST.format("163.com"),
        )
        for name in ("ntes-mailmaster-quote", "J-reply ntes-mailmaster-quote")
    ),
    _cut(
        "NetEase Master, text in English",
        _one(
            _COREMAIL,
            b"text/plain; charset=utf-8",
            (
                f"{OWN}\n\n---- Replied Message ----\n| From | 12345<{OURS}> |\n| Date | 11/22/2026 15:42 |\n"
                f"| To | zs@163.example |\n| Subject | Re: 积水 |\n{PAST}"
            ).encode(),
        ),
        _DESK,
    ),
    _cut(
        "139 web",
        _one(
            _COREMAIL,
            b"text/html; charset=utf-8",
            (
                f'<div style="color: #000000;">{OWN}</div><div id="signContainer"></div><hr id="replySplit">'
                '<div id="reply139content"><div id="mainReplyContent"><div>------------------&nbsp;原始邮件&nbsp;'
                "------------------</div><div><b>发件人:</b>&nbsp;12345 &lt;12345@city.example&gt;</div>"
                f"<div>{PAST}</div></div></div>"
            ).encode(),
        ),
        _DESK,
    ),
)

_OUTLOOK_TEXT = (
    f"{OWN}\r\n\r\n \r\n\r\n发件人: 12345 <{OURS}> \r\n发送时间: 2026年11月22日 10:20\r\n"
    f"收件人: 张三 <zs@corp.example>\r\n主题: 回执\r\n\r\n \r\n\r\n{PAST}\r\n"
)
_OUTLOOK_PAGE = (
    '<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv=Content-Type content='
    '"text/html; charset=gb2312"><!--[if !mso]><style>v\\:* {behavior:url(#default#VML);}</style><![endif]-->'
    "</head><body lang=ZH-CN link=blue><div class=WordSection1><p class=MsoNormal>"
    f"{OWN}<span lang=EN-US><o:p></o:p></span></p><p class=MsoNormal><span lang=EN-US><o:p>&nbsp;</o:p></span></p>"
    "<div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal>"
    "<b>发件人<span lang=EN-US>:</span></b><span lang=EN-US> 12345 &lt;12345@city.example&gt; <br></span>"
    "<b>发送时间<span lang=EN-US>:</span></b><span lang=EN-US> 2026</span>年<span lang=EN-US>11</span>月"
    "<span lang=EN-US>22</span>日<span lang=EN-US> 10:20<br></span><b>收件人<span lang=EN-US>:</span></b> 张三"
    "<span lang=EN-US><br></span><b>主题<span lang=EN-US>:</span></b> 回执<span lang=EN-US><o:p></o:p></span></p>"
    f"</div></div><p class=MsoNormal>{PAST}</p></div></body></html>"
)
_OUTLOOK = _head(
    b"From: =?gb2312?B?" + base64.b64encode("张三".encode("gbk")) + b"?= <zs@corp.example>",
    b"Thread-Topic: =?gb2312?B?u9jWtA==?=",
    b"Thread-Index: AQHcXsQ8yZ0mU2aJ5E2sK5pR1bQ0fA==",
    b"Date: Thu, 26 Nov 2026 06:00:00 +0000",
    b"Message-ID: <SG2PR02MB410812AB@SG2PR02MB4108.corp.example>",
    b"Accept-Language: zh-CN, en-US",
    b"Content-Language: zh-CN",
    b"X-MS-Has-Attach: ",
    b"X-MS-TNEF-Correlator: ",
    charset="gb2312",
    subject="答复: 积水",
)
_OUTLOOK_BORDER = b"_000_SG2PR02MB410812ABSG2PR02MB4108_"
_ANDROID = b"000000000000a1b2c3062a5d7e81"
_WROTE = f"12345 <{OURS}> 于2026年11月22日周日 10:42写道："
OTHERS = (
    _cut(
        "Outlook in Chinese, both forms",
        _one(
            _OUTLOOK,
            b'multipart/alternative;\r\n\tboundary="' + _OUTLOOK_BORDER + b'"',
            b"\r\n" + _two(_OUTLOOK_BORDER, "gb2312", _OUTLOOK_TEXT, _OUTLOOK_PAGE),
            b"7bit",
        ),
        "mails of Exchange Online in the archives of lists.ozlabs.org: Thread-Index, X-MS- fields",
        subject="答复: 积水",
    ),
    _cut(
        "Outlook in Chinese, page alone",
        _one(_OUTLOOK, b'text/html; charset="gb2312"', _OUTLOOK_PAGE.encode("gbk")),
        "pages of Word as Outlook makes them, MS-OXCMSG",
    ),
    _cut(
        "Gmail on Android, both forms",
        _one(
            _head(
                b"From: =?UTF-8?B?5byg5LiJ?= <zs@gmail.example>",
                b"Date: Thu, 26 Nov 2026 14:00:00 +0800",
                b"X-Gm-Features: AWmQ_bm7h0Tj",
                b"Message-ID: <CAEemH2csSFf7Ujz8H+KV7hTdmDVsxn5_oW2JZbwY=NsJUSat_w@mail.gmail.example>",
                charset="UTF-8",
            ),
            b'multipart/alternative; boundary="' + _ANDROID + b'"',
            _two(
                _ANDROID,
                "UTF-8",
                f"{OWN}\r\n\r\n{_WROTE}\r\n\r\n> {PAST}\r\n>\r\n",
                f'<div dir="auto">{OWN}</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" '
                f'class="gmail_attr">12345 &lt;<a href="mailto:{OURS}">{OURS}</a>&gt; 于2026年11月22日周日 10:42写道：'
                f'<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex">{PAST}</blockquote></div>',
            ),
            b"7bit",
        ),
        "mails of Gmail in Chinese in the archives of lists.sourceforge.net, 2024",
    ),
    _cut(
        "iPhone Mail",
        _one(
            _head(
                b"From: =?utf-8?B?5byg5LiJ?= <zs@icloud.example>",
                b"Date: Thu, 26 Nov 2026 02:27:31 -0500",
                b"Message-Id: <BC6926F8-2944-4D5A-B01B-6E3DD487CC41@icloud.example>",
                b"X-Mailer: iPhone Mail (23A341)",
                charset="utf-8",
            ).replace(b"MIME-Version: 1.0", b"Mime-Version: 1.0 (1.0)"),
            b"text/plain; charset=utf-8",
            (
                f"{OWN}\r\n\r\n发自我的 iPhone\r\n\r\n> 在 2026年11月22日，10:20，12345 <{OURS}> 写道：\r\n"
                f"> \r\n> \ufeff{PAST}\r\n"
            ).encode(),
            b"quoted-printable",
        ),
        _LIST.format("iPhone Mail, by icloud.com")
        + ": comment in Mime-Version, a mark before the past",
    ),
    _cut(
        "Apple Mail through QQ",
        _one(
            _head(
                b"X-QQ-mid: bizesmtp79t1657879739tk8lr0p1",
                b"Received: from smtpclient.apple ( [203.0.113.146])\r\n\tby bizesmtp.qq.example (ESMTP) with \r\n"
                b"\tid ; Thu, 26 Nov 2026 18:08:58 +0800 (CST)",
                b"X-QQ-SSF: 01400000002000B0U000000A0000000",
                b"X-QQ-GoodBg: 2",
                b"From: zs <zs@biz.example>",
                charset="utf-8",
            ).replace(
                b"MIME-Version: 1.0", b"Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3696.100.31\\))"
            ),
            b"text/plain;\r\n\tcharset=us-ascii",
            f"{OWN}\n\n> 2026年11月22日 10:20，12345 <{OURS}> 写道：\n> \n> {PAST}\n".encode(),
            b"8bit",
        ),
        _LIST.format("Apple Mail by bizesmtp.qq.com") + ": no id in Received, us-ascii told",
    ),
    _cut(
        "Thunderbird, flowed GBK behind Coremail",
        _one(
            _head(
                b"From: Zhang San <zs@loongson.example>",
                b"Date: Mon, 23 Nov 2026 16:49:45 +0800",
                b"User-Agent: Mozilla/5.0 (X11; Linux mips64; rv:68.0) Gecko/20100101\r\n Thunderbird/68.7.0",
                b"X-CM-TRANSID:qMiowMDxesS+8Cpoa+LgAA--.57455S2",
                b"X-CM-SenderInfo: 52kd01pxqtx0o6or00hjvr0hdfq/",
                charset="gbk",
            ),
            b"text/plain; charset=gbk; format=flowed",
            f"{OWN}\r\n\r\n\r\n在 2026/11/22 下午1:20, 12345 写道:\r\n> {PAST}\r\n".encode("gbk"),
            b"8bit",
        ),
        _LIST.format("Thunderbird behind Coremail") + ": fields without a blank",
    ),
)

CASES = (*QQ, *FOXMAIL, *NETEASE, *OTHERS)
