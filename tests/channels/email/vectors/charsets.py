"""Declared, undeclared and wrongly declared charsets, in bodies, headers and names."""

from hashlib import sha512

from tests.channels.email.vectors.building import Case, b64, mail, multipart, part, word

TEXT = "小区路灯三个月不亮，晚上老人出行摔倒多次，请尽快安排维修。"
RARE = "镕华路喆盛小区井盖缺失，居民朱镕昀反映。"
FOUR = "𠮷祥里𪚥号的路灯不亮，请安排人来看看。"
BIG = "路燈壞了三個月沒有人來修理，請儘快派人處理，謝謝。"

_NOTES = "engineering notes §3.2, corpus of 37 kinds"
_WHATWG = "WHATWG Encoding §4.2 labels"
_2047 = "RFC 2047 §5 and §6.2"
_2231 = "RFC 2231 §3 and §4"


def _body(label: str, text: str, codec: str, declared: str, source: str = _NOTES) -> Case:
    content = b"text/plain" + (f"; charset={declared}".encode() if declared else b"")
    return Case(label, mail(text.encode(codec), content=content), source, text=text)


def _subject(label: str, octets: bytes, text: str, source: str = _2047) -> Case:
    return Case(label, mail(b"x", subject=octets), source, subject=text, text="x")


def _named(
    label: str, fields: tuple[bytes, ...], name: str, source: str, kind: bytes = b"image/jpeg"
) -> Case:
    parts = multipart(
        b"mixed",
        part(b"text/plain; charset=utf-8", "见附件".encode()),
        part(kind, b64(b"\xff\xd8\xff"), b"Content-Transfer-Encoding: base64", *fields),
    )
    return Case(label, mail(**parts), source, files=(name,), text="见附件")


BODIES = (
    _body("GB 2312 as declared", TEXT, "gb2312", "gb2312"),
    _body("GBK characters declared gb2312", RARE, "gbk", "gb2312"),
    _body("four octets of GB 18030 declared gb2312", FOUR, "gb18030", "gb2312"),
    _body("GB 18030 as declared", FOUR, "gb18030", "GB18030"),
    _body("GBK as declared", RARE, "gbk", "GBK"),
    _body("label x-gbk", RARE, "gbk", "x-gbk", _WHATWG),
    _body("label cn-gb", TEXT, "gbk", "cn-gb"),
    _body("label gb_2312-80", TEXT, "gbk", "GB_2312-80", _WHATWG),
    _body("label cp936 in quotes", TEXT, "gbk", '"cp936"'),
    _body("unknown-8bit", TEXT, "gbk", "unknown-8bit"),
    _body("a charset that nobody knows", TEXT, "utf-8", "x-mac-foo"),
    _body("base64 named as a charset", TEXT, "utf-8", "base64"),
    _body("no declaration, GBK", TEXT, "gbk", ""),
    _body("no declaration, UTF-8", TEXT, "utf-8", ""),
    _body("no declaration, Big5", BIG, "big5", ""),
    _body("us-ascii declared, GBK inside", TEXT, "gbk", "us-ascii"),
    _body("iso-8859-1 declared, UTF-8 inside", TEXT, "utf-8", "iso-8859-1"),
    _body("iso-8859-1 declared, GBK inside", TEXT, "gbk", "iso-8859-1"),
    _body("utf-8 declared, GBK inside", TEXT, "gbk", "utf-8"),
    _body("gb2312 declared, UTF-8 inside", TEXT, "utf-8", "gb2312"),
    _body("gb2312 declared, Big5 inside", BIG, "big5", "gb2312"),
    _body("big5 declared, GBK inside", TEXT, "gbk", "big5"),
    _body("Big5 as declared", BIG, "big5", "big5"),
    _body("Hong Kong characters in Big5", "旺角嗰條路啲燈壞咗，冇人嚟整。", "big5hkscs", "big5"),
    _body("UTF-16 without mark, declared utf-16le", TEXT, "utf-16-le", "utf-16le"),
    _body("HZ", TEXT, "hz", "hz-gb-2312"),
    _body(
        "French in Latin-1",
        "Le café près de la gare est fermé depuis l'été, très fâcheux.",
        "latin-1",
        "iso-8859-1",
    ),
    _body(
        "Korean in EUC-KR", "가로등이 고장났습니다. 빨리 고쳐 주세요.", "euc-kr", "ks_c_5601-1987"
    ),
    _body("Tibetan and Uyghur", "ཆུ་མེད། سۇ يوق", "utf-8", "utf-8"),
    _body("emoji", "井盖没了😱👨‍👩‍👧快来人🆘", "utf-8", "utf-8"),
    Case(
        "UTF-8 with a byte order mark",
        mail(b"\xef\xbb\xbf" + TEXT.encode(), content=b"text/plain; charset=gb2312"),
        _NOTES,
        text=TEXT,
    ),
    Case(
        "base64 of GBK without its padding",
        mail(
            b64(TEXT.encode("gbk") + b"!").rstrip(b"="),
            content=b"text/plain; charset=gb2312",
            encoding=b"base64",
        ),
        _NOTES,
        text=TEXT + "!",
    ),
    Case(
        "base64 with foreign characters between",
        mail(b64(TEXT.encode()).replace(b"\r\n", b" \x00\r\n!"), encoding=b"BASE64"),
        "RFC 2045 §6.8: other characters must be ignored",
        text=TEXT,
    ),
    Case(
        "quoted-printable in capitals and not",
        mail(
            b"".join(b"=%02x" % o for o in TEXT.encode("gbk")),
            content=b"text/plain; charset=gbk",
            encoding=b"Quoted-Printable",
        ),
        "RFC 2045 §6.7",
        text=TEXT,
    ),
    Case(
        "page that declares its charset itself",
        mail(
            b'<html><head><meta http-equiv="Content-Type" content="text/html; charset=gb2312"></head><body>'
            + RARE.encode("gbk"),
            content=b"text/html",
        ),
        _NOTES,
        text=RARE,
    ),
    Case(
        "page whose declaration was left behind by a relay",
        mail(
            b'<meta charset="gb2312"><p>' + TEXT.encode() + b"</p>",
            content=b"text/html; charset=utf-8",
        ),
        _NOTES,
        text=TEXT,
    ),
    Case(
        "octets that no charset reads",
        mail(sha512(b"noise").digest() * 4, content=b"text/plain; charset=utf-8"),
        "invented",
        undecodable=True,
    ),
)

_LONG = "关于某某小区路灯三个月不亮的投诉信"
_OCTETS = _LONG.encode("gbk")
_CUT = b"=?gb2312?B?" + b64(_OCTETS[:15]) + b"?=\r\n =?gb2312?B?" + b64(_OCTETS[15:]) + b"?="
_FLAT = b64(_LONG.encode("utf-8"))

HEADERS = (
    _subject("one word", word(_LONG, "utf-8"), _LONG),
    _subject("Q", word(_LONG, "gbk", "Q"), _LONG),
    _subject("GBK characters in a word of gb2312", word(RARE, "gb2312", codec="gbk"), RARE),
    _subject("words cut inside a character, GBK", _CUT, _LONG, _NOTES),
    _subject(
        "words cut inside a character, UTF-8",
        b"=?UTF-8?B?"
        + b64(_LONG.encode()[:10])
        + b"?= =?utf-8?Q?"
        + b"".join(b"=%02X" % o for o in _LONG.encode()[10:])
        + b"?=",
        _LONG,
        _NOTES,
    ),
    _subject(
        "words cut inside a group of base64",
        b"=?utf-8?B?" + _FLAT[:17] + b"?=\r\n =?utf-8?B?" + _FLAT[17:] + b"?=",
        _LONG,
        "seen from old form mailers; invented octets",
    ),
    _subject(
        "neighbours of two charsets", word("路灯", "utf-8") + b" " + word("不亮", "gbk"), "路灯不亮"
    ),
    _subject("text beside a word", b"Re: " + word("路灯", "utf-8") + b" (2)", "Re: 路灯 (2)"),
    _subject(
        "text that touches a word", b"Re:" + word("路灯", "utf-8") + b"-2", "Re:路灯-2", _NOTES
    ),
    _subject("a word in quotes", b'"' + word("路灯", "utf-8") + b'"', '"路灯"'),
    _subject("raw GBK", _OCTETS, _LONG, _NOTES),
    _subject("raw UTF-8", _LONG.encode(), _LONG, "RFC 6532 §3.2"),
    _subject(
        "language of RFC 2231 in a word",
        b"=?utf-8*zh-CN?B?" + b64("路灯".encode()) + b"?=",
        "路灯",
        _2231,
    ),
    _subject(
        "a word of a charset that nobody knows",
        b"=?x-foo?B?" + b64("路灯不亮".encode()) + b"?=",
        "路灯不亮",
    ),
    _subject("folded raw text", "路灯\r\n 不亮".encode(), "路灯 不亮"),
    _subject("broken word", b"=?utf-8?B?", "=?utf-8?B?"),
    _subject(
        "question marks inside Q", b"=?utf-8?Q?a?b=E7=81=AF?=", "a?b灯", "seen from form mailers"
    ),
    Case(
        "name in raw GBK, address behind",
        mail(b"x", sender='"张三" <ZS@QQ.example>'.encode("gbk")),
        _NOTES,
        sender="zs@qq.example",
    ),
    Case(
        "a name that looks like an address",
        mail(b"x", sender=b'"110@police.example" <zs@qq.example>'),
        "CVE-2023-27043: addresses in names",
        sender="zs@qq.example",
    ),
    Case(
        "an address in a word",
        mail(b"x", sender=word("张三 <a@b.example>", "utf-8")),
        "invented",
        sender="a@b.example",
    ),
    Case(
        "two senders",
        mail(b"x", sender=b"a@b.example, c@d.example"),
        "RFC 5322 §3.6.2",
        sender="a@b.example",
    ),
    Case("no sender", mail(b"x", sender=b""), "invented", sender=""),
)

_GBK_NAME = "积水照片.jpg".encode("gbk")
NAMES = (
    _named(
        "name in raw GBK",
        (b'Content-Disposition: attachment; filename="' + _GBK_NAME + b'"',),
        "积水照片.jpg",
        _NOTES,
    ),
    _named(
        "name in raw UTF-8, no quotes",
        ("Content-Disposition: attachment; filename=积水.jpg".encode(),),
        "积水.jpg",
        _NOTES,
    ),
    _named(
        "name as an encoded word",
        (
            b'Content-Disposition: attachment; filename="'
            + word("积水.jpg", "gb2312", codec="gbk")
            + b'"',
        ),
        "积水.jpg",
        "forbidden by RFC 2047 §5, sent by Outlook and QQ",
    ),
    _named(
        "name of RFC 2231",
        (b"Content-Disposition: attachment; filename*=gb2312'zh'%BB%FD%CB%AE.jpg",),
        "积水.jpg",
        _2231,
    ),
    _named(
        "name of RFC 2231 in pieces, out of order",
        (
            b"Content-Disposition: attachment;\r\n filename*1*=%AE.jpg;\r\n filename*0*=utf-8''%E7%A7%AF%E6%B0%B4%EF%BC;",
        ),
        "积水".encode().decode() + "（.jpg".replace("（", b"\xef\xbc\xae".decode()),
        _2231,
    ),
    _named(
        "both forms: the extended one counts",
        (
            b"Content-Disposition: attachment; filename=\"js.jpg\"; filename*=utf-8''%E7%A7%AF%E6%B0%B4.jpg",
        ),
        "积水.jpg",
        "RFC 6266 §4.3",
    ),
    _named(
        "percent signs without the star",
        (b'Content-Disposition: attachment; filename="%E7%A7%AF%E6%B0%B4.jpg"',),
        "积水.jpg",
        "seen from web mailers",
    ),
    _named(
        "name of the type alone",
        (),
        "积水.jpg",
        "RFC 2045 §5.1",
        kind='image/jpeg; name="积水.jpg"'.encode(),
    ),
    _named(
        "a backslash as second octet",
        (b'Content-Disposition: attachment; filename="' + "許可證明書.jpg".encode("big5") + b'"',),
        "許可證明書.jpg",
        "Big5 has 許 at 0xB35C",
    ),
    _named(
        "semicolon inside quotes",
        (b'Content-Disposition: attachment; filename="a;b.jpg"',),
        "a;b.jpg",
        "RFC 2045 §5.1",
    ),
    _named("no name at all", (b"Content-Disposition: attachment",), "image.jpg", "invented"),
)

CASES = (*BODIES, *HEADERS, *NAMES)
