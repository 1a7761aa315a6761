"""What citizens do in the demonstration, and what is kept of how each of them fared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

#: What a scene must become: a ticket of its own, the ticket that the scene before has become
#: already, or further words on that one.
Becomes = Literal["ticket", "repeat", "addition"]
#: Services whose desks have an emergency on their screens in the demonstration.
SERVICES = ("110", "119", "120", "122")


@dataclass(frozen=True, slots=True)
class Scene:
    """One act of a citizen."""

    channel: str  #: by which channel: the `Peer.name` that plays it
    text: str
    by: str = ""  #: telephone number, open id or mail address, as the channel knows citizens
    more: Mapping[str, str] = field(default_factory=dict)  #: what else the channel carries
    how: str = ""  #: in which form it travels
    photo: str = ""  #: name of the photograph that goes with it
    becomes: Becomes = "ticket"
    #: Whose desks must have it on their screens at least; empty: it is no emergency.
    calls: tuple[str, ...] = ()
    spoken: bool = False  #: ``text`` tells what is done: the words are in a recording


@dataclass(slots=True)
class Sent:
    """A scene as it was seen from the citizen's end."""

    scene: Scene
    number: str  #: the ticket's, as the answer names it; empty: it names none
    answer: str  #: what the citizen reads
    sent_at: float  #: monotonic seconds
    answered_at: float


class Lacking(Exception):
    """A channel cannot be shown on this machine; says what to install."""


class Peer(Protocol):
    """The far end of one channel: its carrier and its citizens.

    To show one more channel: write its peer, name it in `gateway.demo.cast`, and give it scenes.
    """

    @property
    def name(self) -> str:
        """What its scenes call it."""

    async def start(self) -> Mapping[str, object] | None:
        """Listen, and return the channel's section of the configuration; None: it needs none.

        Raises:
            Lacking: It cannot be shown here.
        """

    async def meet(self, gateway: str) -> None:
        """Return once the gateway at this address and the carrier can reach each other.

        Raises:
            OSError: They cannot.
        """

    async def play(self, scene: Scene) -> Sent:
        """Send, and return once the citizen has an answer, or has waited for too long.

        Raises:
            OSError: The carrier's end broke off.
        """

    async def stop(self) -> None:
        """Let go of everything."""


#: Seconds that a citizen waits for an answer.
PATIENCE_S = 15.0

STORY: tuple[Scene, ...] = (
    Scene(
        "web",
        "埇桥区人民路与淮海路交叉口东北角的井盖昨晚八点左右不见了，电动车差点掉下去，请尽快处理。",
        more={"phone": "13800138000", "type": "complaint"},
        how="JSON",
    ),
    Scene(
        "web",
        "我家楼上着火了，三楼还有老人被困出不来，在埇桥区汴河中路88号，快来人！",
        more={"phone": "13900139000"},
        how="JSON",
        calls=("119",),
    ),
    Scene(
        "form",
        "汴河中路88号居民楼起火，浓烟很大，里面有人呼救！",
        more={"phone": "13700137000"},
        how="multipart, photo",
        photo="现场.jpg",
        calls=("119",),
    ),
    Scene("form", "请问办理居住证需要带哪些材料？周末能办吗？", how="multipart"),
    Scene(
        "wechat",
        "我在埇桥区三里湾工地干了四个月，工资一直没有发，包工头电话也不接，请帮忙要回工资。",
        by="oDemoWorker",
        how="encrypted push",
    ),
    Scene(
        "wechat",
        "我在埇桥区三里湾工地干了四个月，工资一直没有发，包工头电话也不接，请帮忙要回工资。",
        by="oDemoWorker",
        becomes="repeat",
        how="pushed again",
    ),
    Scene("wechat", "[图片]", by="oDemoWorker", becomes="addition", how="photo", photo="photo"),
    Scene(
        "wechat",
        "埇桥区银河一路和西昌路路口两辆车撞了，有人满头是血昏迷不醒，快来救人！",
        by="oDemoWitness",
        how="encrypted push",
        calls=("120", "122"),
    ),
    Scene(
        "sms",
        "埇桥区东昌路小学门口的路灯坏了三盏，晚上接孩子一片漆黑，上周打电话说来修一直没有人来，"
        "昨晚有位老人在那里摔了一跤，请尽快安排人修理。",
        by="8613600136000",
        how="SMPP, two parts",
    ),
    Scene(
        "sms",
        "埇桥区光彩城小区5号楼一楼煤气味很重，有人头晕呕吐，快来人",
        by="8613500135000",
        how="SMPP",
        calls=("120",),
    ),
    Scene(
        "email",
        "您好！我们小区（埇桥区淮海南路御景园）物业擅自涨停车费，每月从150元涨到300元，没有公示也没有征求"
        "业主意见，请物价和住建部门查处。附件是缴费单。",
        by="wang@mail.example",
        more={"title": "投诉小区物业擅自上涨停车费"},
        how="SMTP, GB 18030",
        photo="缴费单.jpg",
    ),
    Scene(
        "phone",
        "（拨打 12345：按 1，说出诉求，按 # 键，听到工单编号）",
        by="13900001234",
        how="SIP call",
        spoken=True,
    ),
    Scene(
        "webhook",
        "小区门口的超市卖过期牛奶，我要举报，希望市场监管部门查处。",
        more={"to": "12315"},
        how="signed webhook",
    ),
    Scene(
        "webhook",
        "表扬一下政务服务大厅的工作人员，帮我母亲办手续特别耐心。",
        how="signed webhook",
    ),
)


def scenes(channels: Iterable[str]) -> tuple[Scene, ...]:
    """Return the story as far as these channels can tell it."""
    known = frozenset(channels)
    return tuple(scene for scene in STORY if scene.channel in known)
