"""WeChat: official accounts and mini programs by call-back, WeCom customer service by its queue."""

from channels.base import Messenger, Webhook
from channels.wechat.account import OfficialAccount
from channels.wechat.api import Api
from channels.wechat.messenger import WeChatMessenger
from channels.wechat.service import CustomerService
from channels.wechat.settings import WeChatSettings
from config.plugin import Plugin


def _build(settings: WeChatSettings) -> Webhook:
    if settings.platform == "wecom":
        return CustomerService(settings, Api(settings))
    return OfficialAccount(settings, Api(settings) if settings.app_secret else None)


def _speak(settings: WeChatSettings) -> Messenger | None:
    # Without the secret nothing can be sent: citizens are answered by passive replies alone.
    return WeChatMessenger(settings, Api(settings)) if settings.app_secret else None


plugin: Plugin[WeChatSettings, Webhook] = Plugin("wechat", WeChatSettings, _build, _speak)
