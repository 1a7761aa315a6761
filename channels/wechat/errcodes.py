"""What each of the platform's error codes means for us. Every answer of the platform is read.

The platform says HTTP 200 to everything; only ``errcode`` in the body tells. A code that is not here
is tried again later and named in the log, so that none is taken for a success.

Sources: [G] developers.weixin.qq.com, "全局返回码"; [C] the same, "发送客服消息"; [S] the same,
"发送订阅通知"; [A] the same, "获取稳定版接口调用凭据"; [W] developer.work.weixin.qq.com, "全局错误码" and
"发送消息" of 微信客服.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from normalizer.schema import Value


class Action(StrEnum):
    """What the gateway does."""

    REFRESH = "refresh"  #: gets a new access token, once, and tries again
    LATER = "later"  #: tries again with growing delays
    SETTING = "setting"  #: tries again seldom and tells the operator what to set right
    CLOSED = "closed"  #: goes the declared fallback: this citizen cannot be written to now
    TEMPLATE = "template"  #: goes the next fallback; the subscription message is set wrong
    NEVER = "never"  #: is not tried again: the way to this citizen, or this file, is no more


class Code(Value, frozen=True, kw_only=True):
    """One row of the table."""

    action: Action
    means: str
    source: str
    after_s: float | None = None  #: seconds until the next try, where the code tells


def _code(action: Action, source: str, means: str, after_s: float | None = None) -> Code:
    return Code(action=action, means=means, source=source, after_s=after_s)


_R, _L, _S = Action.REFRESH, Action.LATER, Action.SETTING
_C, _T, _N = Action.CLOSED, Action.TEMPLATE, Action.NEVER

CODES: Mapping[int, Code] = MappingProxyType(
    {
        -1: _code(_L, "G", "the platform is busy"),
        40001: _code(
            _R, "G", "the access token is invalid or not the latest, or the secret is wrong"
        ),
        40003: _code(_N, "G", "the open id is not of this account"),
        40007: _code(_N, "G", "the media id is invalid or older than three days"),
        40013: _code(_S, "G", "app_id is wrong"),
        40014: _code(_R, "G", "the access token is invalid"),
        40020: _code(_S, "G", "form_url is longer than a menu takes"),
        40029: _code(_N, "G", "the OAuth code is invalid or was used"),
        40037: _code(_T, "S", "subscription.id is no template of this account"),
        40055: _code(_S, "G", "form_url is of a domain that the account's menu may not open"),
        40125: _code(_S, "A", "app_secret is wrong"),
        40163: _code(_N, "G", "the OAuth code was used"),
        40164: _code(
            _S, "A", "this host's address is not on the account's list of allowed addresses"
        ),
        40243: _code(_S, "A", "app_secret is frozen; release it in the console"),
        41001: _code(_R, "G", "the access token is missing"),
        41002: _code(_S, "A", "app_id is missing"),
        41004: _code(_S, "A", "app_secret is missing"),
        41030: _code(_T, "S", "subscription.page is no page of the mini program"),
        42001: _code(_R, "G", "the access token has expired"),
        42003: _code(_N, "G", "the OAuth code has expired"),
        42007: _code(_R, "G", "the account has withdrawn the authorisation: its tokens are void"),
        43004: _code(_C, "G", "the citizen does not follow the account"),
        43019: _code(_C, "G", "the account has the citizen on its black list"),
        43101: _code(_C, "S", "the citizen has refused the subscription message"),
        43108: _code(_L, "C", "two messages to one citizen at once"),
        44004: _code(_N, "G", "the text is empty"),
        45002: _code(_N, "G", "the text is longer than the platform takes"),
        45009: _code(_L, "G", "the interface's calls of this day are used up", after_s=3600),
        45011: _code(_L, "G", "too many calls in this minute", after_s=60),
        45015: _code(_C, "C", "48 hours without a message of the citizen's, or unsubscribed"),
        45033: _code(_L, "W", "too many calls at once", after_s=10),
        45047: _code(_C, "C", "as many messages as are allowed between two of the citizen's"),
        45080: _code(_C, "C", "the citizen has touched no more entries of the menu"),
        45166: _code(_C, "G", "the platform does not pass this text on"),
        46001: _code(_N, "G", "the file is no more"),
        46004: _code(_N, "G", "the citizen's account is no more"),
        47003: _code(_T, "S", "subscription.number or subscription.text does not fit the template"),
        48001: _code(_S, "G", "the account has no right to this interface"),
        48002: _code(_C, "G", "the citizen takes no messages of the account"),
        48004: _code(_S, "G", "the platform has closed this interface to the account"),
        48008: _code(_S, "G", "the account may not send messages of this kind"),
        50001: _code(_S, "G", "the account is not authorised for this interface"),
        50002: _code(_N, "G", "the citizen's account is frozen or gone"),
        50005: _code(_C, "G", "the citizen does not follow the account"),
        60020: _code(_S, "W", "this host's address is not trusted by the WeCom application"),
        61451: _code(_N, "C", "a member of the message is invalid"),
        87014: _code(_C, "G", "the platform does not pass this text on"),
        89503: _code(_S, "A", "an administrator must confirm calls from this host's address"),
        89506: _code(_S, "A", "an administrator has refused this host's address for 24 hours"),
        89507: _code(_S, "A", "an administrator has refused this host's address for an hour"),
        95001: _code(_C, "W", "five messages since the citizen's last one, or 48 hours"),
        95007: _code(_L, "W", "the call-back's token is older than ten minutes"),
        95013: _code(_C, "W", "the conversation is over"),
        95018: _code(_C, "W", "the conversation's state allows no message"),
    }
)
#: What is done about a code that nobody has told us of.
UNKNOWN = _code(_L, "-", "a code that this release does not know")


def meaning(errcode: int) -> Code:
    """Return the row of a code."""
    return CODES.get(errcode, UNKNOWN)
