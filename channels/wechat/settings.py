"""What a ``kind: wechat`` section says."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from channels.wechat.crypto import key_of
from config.settings import Section, Word, as_list

#: Source: developers.weixin.qq.com, "接口域名说明"; WeCom: developer.work.weixin.qq.com.
_BASES = {
    "official": "https://api.weixin.qq.com",
    "miniprogram": "https://api.weixin.qq.com",
    "wecom": "https://qyapi.weixin.qq.com",
}
_SPAN = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


def _usable(secret: SecretStr) -> SecretStr:
    key_of(secret.get_secret_value())
    return secret


def _web_address(url: str) -> str:
    if re.match(r"https?://[^\s/]", url) is None:
        raise ValueError("an http:// or https:// address")
    return url.rstrip("/")


def _span(value: str) -> str:
    if _SPAN.fullmatch(value) is None:
        raise ValueError("a span of the day; e.g. 22:00-08:00")
    return value


AesKey = Annotated[SecretStr, AfterValidator(_usable)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Template(Section):
    """A subscription message that tells a citizen who has not written for 48 hours."""

    id: Word
    page: str | None = None  #: what opens when it is touched
    #: Members of the template that take the ticket's number and the text, e.g.
    #: ``character_string1`` and ``thing2``.
    number: Word
    text: Word


class WeChatSettings(Section):
    """A ``kind: wechat`` section."""

    kind: Literal["wechat"] = "wechat"
    name: Word
    platform: Literal["official", "miniprogram", "wecom"] = "official"
    app_id: Word  #: of WeCom the corporation's id
    app_secret: SecretStr | None = None  #: None: nothing is sent and no media are fetched
    token: SecretStr
    #: 43 characters; a list while it is changed: the one in force first, then the one before.
    encoding_aes_key: Annotated[tuple[AesKey, ...], BeforeValidator(as_list)] = ()
    #: What the platform's console says; ``auto``: encrypted where a key is given.
    mode: Literal["auto", "plain", "compatible", "encrypted"] = "auto"
    api_base: WebAddress | None = None  #: None: the platform's own
    #: Where citizens are sent to be known by their open id.
    open_base: WebAddress = "https://open.weixin.qq.com"
    quiet_hours: Annotated[str, AfterValidator(_span)] | None = None
    #: Seconds within which a push is answered; the platform waits five.
    reply_within_s: float = Field(default=4.0, gt=0, le=4.5)
    #: What a citizen is told when they follow the account or ask how to make a request.
    greeting: Word = (
        "您好，这里是12345热线。请直接发送您要反映的事情、地点和联系电话，也可以发送图片、语音和位置。"
        "发送“查询”可查看办理进度。遇到火情、治安、急救等紧急情况请立即拨打119、110、120。"
    )
    how_to_rate: Word = (
        "请在收到答复后回复数字评价：1 非常满意，2 满意，3 基本满意，4 不满意，5 非常不满意。"
    )
    subscription: Template | None = None
    #: How a citizen is told who cannot be written to any more, in this order.
    fallback: tuple[Literal["subscription", "sms", "callback"], ...] = (
        "subscription",
        "sms",
        "callback",
    )
    menu: bool = False  #: whether the menu under the chat is ours, put there at every start
    form_url: WebAddress | None = None  #: what the menu's first entry opens; None: it is explained
    #: WeCom: the customer-service accounts to look at before any call-back has named one.
    open_kfids: tuple[Word, ...] = ()
    poll_s: float = Field(default=60.0, gt=0)  #: WeCom: pause between looks without a call-back

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.encrypted and not self.encoding_aes_key:
            raise ValueError("encoding_aes_key: needed in this mode")
        if self.platform == "wecom" and not self.encrypted:
            raise ValueError("mode: WeCom always encrypts")
        if self.platform == "wecom" and self.app_secret is None:
            raise ValueError("app_secret: needed to read WeCom's queue")
        return self

    @property
    def encrypted(self) -> bool:
        """Whether only what is encrypted is believed: in compatible mode the words beside it are not."""
        if self.mode == "auto":
            return bool(self.encoding_aes_key) or self.platform == "wecom"
        return self.mode != "plain"

    @property
    def base(self) -> str:
        """Where the platform's interface is."""
        return self.api_base or _BASES[self.platform]
