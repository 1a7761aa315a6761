"""What a ``kind: webhook`` section says."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from channels.webhook.codec import key_of
from config.settings import Section, as_list


def _usable(secret: SecretStr) -> SecretStr:
    key_of(secret.get_secret_value())
    return secret


def _web_address(url: str) -> str:
    if re.match(r"https?://[^\s/]", url) is None:
        raise ValueError("an http:// or https:// address")
    return url


Secret = Annotated[SecretStr, AfterValidator(_usable)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class WebhookSettings(Section):
    """A ``kind: webhook`` section."""

    kind: Literal["webhook"] = "webhook"
    name: str
    #: ``whsec_<base64>``; a list while a secret is replaced: any of them is believed.
    secret: Annotated[tuple[Secret, ...], BeforeValidator(as_list), Field(min_length=1)]
    reply_url: WebAddress | None = None  #: where answers to citizens are posted, signed
    #: What ``from`` is: a telephone number, the platform's user id, or to be told by its form.
    sender: Literal["auto", "phone", "id"] = "auto"
