"""Pages, parts, files, signatures, mails inside mails, and what is cut off or bent."""

from email import message_from_bytes
from hashlib import sha256
from typing import Any

from tests.channels.email.vectors.building import Case, b64, mail, multipart, part

PLAIN = b"text/plain; charset=utf-8"
PAGE = b"text/html; charset=utf-8"
TEXT = "家里进水齐腰深，老人被困二楼。"
_B64 = b"Content-Transfer-Encoding: base64"
_MIME = "RFC 2046 §5.1"
_NOTES = "engineering notes §3.2, corpus of 37 kinds"


def _page(
    label: str, page: str, text: str, source: str = "invented after mails of web clients"
) -> Case:
    return Case(label, mail(page.encode(), content=PAGE), source, text=text)


def _parts(label: str, kind: bytes, *parts: bytes, source: str = _MIME, **expected: Any) -> Case:
    return Case(label, mail(**multipart(kind, *parts)), source, **expected)


_INNER = mail("井盖丢失，孩子掉下去了。".encode(), subject="紧急求助".encode())
_PLAIN_PART = part(PLAIN, TEXT.encode())
_PICTURE = part(b"image/png; name=a.png", b64(b"\x89PNG\r\n\x1a\n"), _B64, b"Content-ID: <a@b>")

PAGES = (
    _page("page: paragraphs", "<p>第一段</p><p>第二段</p>", "第一段\n\n第二段"),
    _page("page: line breaks", "一<br>二<BR/>三", "一\n二\n三"),
    _page("page: entities", "<div>a &lt;b&gt; &amp;&nbsp;&#36335;&#x706f;</div>", "a <b> & 路灯"),
    _page(
        "page: script and style are not read",
        "<style>p{}</style><script>alert('火')</script><p>路灯</p>",
        "路灯",
    ),
    _page(
        "page: title is not read", "<html><head><title>邮件</title></head><body>路灯</body>", "路灯"
    ),
    _page(
        "page: comments, conditional ones of Outlook too",
        "<!--[if mso]><p>x</p><![endif]--><p>路灯</p>",
        "路灯",
    ),
    _page(
        "page: a table",
        "<table><tr><td>地址</td><td>某路1号</td></tr><tr><td>电话</td><td>略</td></tr></table>",
        "地址 某路1号\n\n电话 略",
    ),
    _page("page: a list", "<ul><li>没水</li><li>没电</li></ul>", "- 没水\n- 没电"),
    _page("page: never closed", "<div><p>路灯<b>不亮", "路灯不亮"),
    _page("page: a lone smaller-than", "气温 < 5 度，暖气不热", "气温 < 5 度，暖气不热"),
    _page(
        "page: a picture that would call home",
        '<p>路灯</p><img src="http://tracker.example/x.gif">',
        "路灯",
    ),
    _page("page: empty", "<html><body><br></body></html>", ""),
)

PARTS = (
    _parts(
        "plain beside page",
        b"alternative",
        _PLAIN_PART,
        part(PAGE, f"<p>{TEXT}</p>".encode()),
        text=TEXT,
        files=(),
    ),
    _parts(
        "a stub beside the page",
        b"alternative",
        part(PLAIN, b"HTML only."),
        part(PAGE, f"<p>{TEXT}{TEXT}{TEXT}</p>".encode()),
        text=TEXT * 3,
        source="seen from newsletters and form mailers",
    ),
    _parts(
        "an empty text beside the page",
        b"alternative",
        part(PLAIN, b"\r\n"),
        part(PAGE, TEXT.encode()),
        text=TEXT,
    ),
    _parts(
        "page with pictures inside",
        b"alternative",
        part(PLAIN, TEXT.encode()),
        part(
            b'multipart/related; boundary="in"',
            b"--in\r\n"
            + part(PAGE, b"<img src=cid:a@b>")
            + b"\r\n--in\r\n"
            + _PICTURE
            + b"\r\n--in--",
        ),
        text=TEXT,
        files=("a.png",),
        source="QQ mail",
    ),
    _parts(
        "text, picture, text of Apple Mail",
        b"mixed",
        part(PLAIN, "前".encode()),
        _PICTURE,
        part(PLAIN, "后".encode()),
        text="前\n\n后",
        files=("a.png",),
    ),
    _parts(
        "text as attachment",
        b"mixed",
        _PLAIN_PART,
        part(b"text/plain; name=b.txt", b"x", b"Content-Disposition: attachment"),
        text=TEXT,
        files=("b.txt",),
    ),
    _parts("only a picture", b"mixed", _PICTURE, text="", files=("a.png",)),
    _parts(
        "an invitation",
        b"mixed",
        _PLAIN_PART,
        part(b"text/calendar", b"BEGIN:VCALENDAR"),
        text=TEXT,
        files=("text.ics",),
    ),
    _parts(
        "winmail.dat",
        b"mixed",
        _PLAIN_PART,
        part(b"application/ms-tnef; name=winmail.dat", b64(b"\x78\x9f\x3e\x22"), _B64),
        text=TEXT,
        files=("winmail.dat",),
        source="Outlook, MS-OXTNEF",
    ),
    _parts(
        "a mail inside",
        b"mixed",
        part(PLAIN, "请看转来的邮件。".encode()),
        part(b"message/rfc822", _INNER),
        holds=("请看转来的邮件。", "紧急求助", "井盖丢失"),
        files=("紧急求助.eml",),
    ),
    _parts(
        "a mail inside, base64",
        b"mixed",
        part(PLAIN, "见附".encode()),
        part(b"message/rfc822", b64(_INNER), _B64),
        holds=("见附", "井盖丢失"),
        files=("紧急求助.eml",),
        source=_NOTES,
    ),
    Case(
        "a mail inside alone",
        mail(_INNER, content=b"message/rfc822", encoding=b"8bit"),
        _MIME,
        holds=("井盖丢失",),
        files=("紧急求助.eml",),
    ),
    _parts(
        "two files of one name", b"mixed", _PLAIN_PART, _PICTURE, _PICTURE, files=("a.png", "a.png")
    ),
    _parts(
        "uuencoded",
        b"mixed",
        _PLAIN_PART,
        part(
            b"application/octet-stream; name=c.bin",
            b"begin 644 c\n#0V%T\n`\nend",
            b"Content-Transfer-Encoding: x-uuencode",
        ),
        files=("c.bin",),
    ),
    _parts(
        "upper case everywhere",
        b"MIXED",
        part(b"TEXT/PLAIN; CHARSET=UTF-8", TEXT.encode()),
        text=TEXT,
        files=(),
    ),
    _parts("a type that is none", b"mixed", part(b"foo; charset=utf-8", TEXT.encode()), text=TEXT),
    Case("no type at all", mail(TEXT.encode(), content=b""), "RFC 822 mails", text=TEXT),
    Case(
        "bare line feeds",
        mail(**multipart(b"mixed", _PLAIN_PART, _PICTURE)).replace(b"\r\n", b"\n"),
        "Maildir files",
        text=TEXT,
        files=("a.png",),
    ),
    Case(
        "500 parts",
        mail(**multipart(b"mixed", _PLAIN_PART, *[part(PLAIN, b"%d" % n) for n in range(499)])),
        "issue: 500 parts",
        holds=(TEXT, "498"),
        files=(),
    ),
    Case(
        "20 files at most",
        mail(**multipart(b"mixed", _PLAIN_PART, *[_PICTURE] * 25)),
        "own limit",
        text=TEXT,
        files=("a.png",) * 20,
    ),
)

_SIGNED_CMS = bytes.fromhex(
    "308006092a864886f70d010702a08030800201013100308006092a864886f70d010701a080"
)
_INSIDE = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + TEXT.encode()
SEALED = (
    _parts(
        "signed by PGP",
        b"signed",
        _PLAIN_PART,
        part(b"application/pgp-signature; name=signature.asc", b"-----BEGIN PGP SIGNATURE-----"),
        text=TEXT,
        files=("signature.asc",),
        source="RFC 3156 §5",
    ),
    _parts(
        "signed by S/MIME",
        b"signed",
        _PLAIN_PART,
        part(b"application/pkcs7-signature; name=smime.p7s", b64(b"\x30\x80"), _B64),
        text=TEXT,
        files=("smime.p7s",),
        source="RFC 8551 §3.5.3",
    ),
    Case(
        "signed by S/MIME with the content inside",
        mail(
            b64(_SIGNED_CMS + b"\x24\x80\x04" + bytes([len(_INSIDE)]) + _INSIDE),
            content=b"application/pkcs7-mime; smime-type=signed-data; name=smime.p7m",
            encoding=b"base64",
        ),
        "RFC 8551 §3.5.2, RFC 5652 §5.2",
        text=TEXT,
        files=("smime.p7m",),
    ),
    Case(
        "encrypted by S/MIME",
        mail(
            b64(b"\x30\x80\x06\x09*\x86H\x86\xf7\r\x01\x07\x03"),
            content=b"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
            encoding=b"base64",
        ),
        "RFC 8551 §3.3",
        files=("smime.p7m",),
        undecodable=True,
    ),
    _parts(
        "encrypted by PGP",
        b"encrypted",
        part(b"application/pgp-encrypted", b"Version: 1"),
        part(b"application/octet-stream; name=encrypted.asc", b"-----BEGIN PGP MESSAGE-----"),
        source="RFC 3156 §4",
        undecodable=True,
        files=("application", "encrypted.asc"),
    ),
)

_WHOLE = mail(**multipart(b"mixed", _PLAIN_PART, _PICTURE))
_DEEP = (
    b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(40)
    )
    + _PLAIN_PART
)
_DEEPEST = b"".join(
    b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(1500)
)
_FROM = b"From: zs@qq.example\r\n"
BROKEN = (
    Case(
        "cut off inside the picture",
        _WHOLE[: _WHOLE.index(b"iVBOR") + 6],
        "a connection that broke",
        text=TEXT,
        files=("a.png",),
    ),
    Case(
        "cut off inside a character",
        mail(TEXT.encode()[:-4]),
        "a connection that broke",
        text="家里进水齐腰深，老人被困二\ufffd",
    ),
    Case(
        "the last border is missing",
        mail(**multipart(b"mixed", _PLAIN_PART, closed=False)),
        _NOTES,
        text=TEXT,
    ),
    Case(
        "no border where parts are told",
        mail(TEXT.encode(), content=b"multipart/mixed"),
        _NOTES,
        text=TEXT,
    ),
    Case(
        "another border than told",
        mail(b"--other\r\n" + _PLAIN_PART, content=b'multipart/mixed; boundary="this"'),
        _NOTES,
        holds=(TEXT,),
    ),
    Case(
        "words before the first border",
        mail(
            **{
                **multipart(b"mixed", _PLAIN_PART),
                "body": TEXT.encode() + b"\r\n" + multipart(b"mixed", _PLAIN_PART)["body"],
            }
        ),
        _MIME,
        text=TEXT,
    ),
    Case("header alone", _FROM + b"Subject: x", "invented", text="", subject="x"),
    Case("nothing", b"", "invented", text=""),
    Case("body alone", b"\r\n" + TEXT.encode(), "invented", holds=(TEXT,)),
    Case(
        "a line in the header that is no field",
        _FROM + b"rubbish here\r\nSubject: x\r\n\r\n" + TEXT.encode(),
        _NOTES,
        holds=(TEXT,),
    ),
    Case(
        "no MIME at all, GBK",
        _FROM + b"Subject: x\r\n\r\n" + TEXT.encode("gbk"),
        "RFC 822 mails",
        text=TEXT,
    ),
    Case("nested 40 deep", _FROM + _DEEP, "invented", undecodable=True),
    Case("nested 1500 deep", _FROM + _DEEPEST, _NOTES, undecodable=True),
    Case(
        "50,000 parts",
        mail(**multipart(b"mixed", _PLAIN_PART, *[part(PLAIN, b"")] * 50_000)),
        _NOTES,
        holds=(TEXT,),
        undecodable=True,
    ),
    Case(
        "8000 recipients",
        _FROM
        + b"To: "
        + b",\r\n ".join(b"u%d@x.example" % n for n in range(8000))
        + b"\r\nSubject: x\r\n\r\n"
        + TEXT.encode(),
        _NOTES,
        text=TEXT,
        undecodable=True,
    ),
    Case(
        "3000 brackets in the sender",
        b"From: " + b"(" * 3000 + b" zs@qq.example\r\n\r\n" + TEXT.encode(),
        _NOTES,
        text=TEXT,
        sender="zs@qq.example",
    ),
    Case(
        "5000 pieces of a name",
        mail(
            **multipart(
                b"mixed",
                _PLAIN_PART,
                part(
                    b"image/png",
                    b"x",
                    b"Content-Disposition: attachment"
                    + b"".join(b";\r\n filename*%d=a" % n for n in range(5000)),
                ),
            )
        ),
        _NOTES,
        text=TEXT,
    ),
    Case(
        "a header of 5 MB",
        _FROM + b"X-Long: " + b"a" * 5_000_000 + b"\r\nSubject: x\r\n\r\n" + TEXT.encode(),
        "invented",
        holds=(TEXT,),
        undecodable=True,
    ),
    Case(
        "30 MB of base64",
        mail(
            **multipart(
                b"mixed",
                _PLAIN_PART,
                part(b"application/zip; name=big.zip", b64(b"PK\x03\x04" * 5_300_000), _B64),
            )
        ),
        "issue: 30 MB",
        text=TEXT,
        files=(),
    ),
    Case("noise", sha256(b"1").digest() * 40, "invented", undecodable=True),
)

#: Guards the builders: what we call whole is whole to the standard library too.
assert len(message_from_bytes(_WHOLE).get_payload()) == 2

CASES = (*PAGES, *PARTS, *SEALED, *BROKEN)
