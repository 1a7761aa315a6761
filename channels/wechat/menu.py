"""The menu under the chat: make a request, ask for progress, rate.

Source: developers.weixin.qq.com/doc/offiaccount, "自定义菜单": three buttons, names of at most four
Chinese characters, keys of 128 octets.
"""

from typing import Any

from channels.wechat.api import Api

#: What a click tells; `OfficialAccount` answers it.
REPORT, PROGRESS, RATE = "report", "progress", "rate"


def definition(form_url: str | None) -> dict[str, Any]:
    """Return the menu; with an address the first entry opens the request form there."""
    report: dict[str, str] = {"name": "申报诉求", "type": "click", "key": REPORT}
    if form_url is not None:
        report = {"name": "申报诉求", "type": "view", "url": form_url}
    return {
        "button": [
            report,
            {"name": "查询进度", "type": "click", "key": PROGRESS},
            {"name": "评价", "type": "click", "key": RATE},
        ]
    }


async def publish(api: Api, form_url: str | None) -> None:
    """Return once citizens get the menu. Raises `DeliveryError`."""
    await api.call("/cgi-bin/menu/create", definition(form_url))
