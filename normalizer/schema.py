"""The central values: what a channel saw, what the ticket holds, what the judge found.

All are frozen; instants are aware; unknown is None. The published ticket (contract section 3) is
`PublishedTicket`; number, status and history come from the store and its events.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

SCHEMA = "hotline.ticket/1"


class Urgency(StrEnum):
    """How soon a human must act."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    NORMAL = "normal"


class Service(StrEnum):
    """An emergency service or a utility with a desk of its own."""

    POLICE = "110"
    FIRE = "119"
    MEDICAL = "120"
    TRAFFIC = "122"
    WATER = "water"
    POWER = "power"
    GAS = "gas"
    HEAT = "heat"


#: The four that raise an incident; utilities are told through the ticket.
EMERGENCY_SERVICES = (Service.POLICE, Service.FIRE, Service.MEDICAL, Service.TRAFFIC)


class RequestType(StrEnum):
    """What the citizen wants of the government."""

    CONSULTATION = "consultation"
    HELP = "help"
    COMPLAINT = "complaint"
    REPORT = "report"
    SUGGESTION = "suggestion"
    PRAISE = "praise"


class Domain(StrEnum):
    """The field of government that a matter belongs to."""

    HOUSING = "housing"
    TRANSPORT = "transport"
    ENVIRONMENT = "environment"
    LABOUR = "labour"
    EDUCATION = "education"
    HEALTH = "health"
    MARKET = "market"
    COMMERCE = "commerce"
    POLICE = "police"
    CIVIL = "civil"
    RESOURCES = "resources"
    AGRICULTURE = "agriculture"
    UTILITIES = "utilities"
    SAFETY = "safety"
    FINANCE = "finance"
    TELECOM = "telecom"
    GOVERNMENT = "government"
    OTHER = "other"


class Status(StrEnum):
    """Where a ticket stands; follows from its events."""

    DRAFT = "draft"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    RETURNED = "returned"
    EXTENDED = "extended"
    ANSWERED = "answered"
    CLOSED = "closed"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"


#: The Chinese label of every enumerated value, published beside it as ``<name>_label``.
LABELS: Mapping[str, str] = MappingProxyType(
    {
        Urgency.EMERGENCY: "特急",
        Urgency.URGENT: "紧急",
        Urgency.NORMAL: "一般",
        RequestType.CONSULTATION: "咨询",
        RequestType.HELP: "求助",
        RequestType.COMPLAINT: "投诉",
        RequestType.REPORT: "举报",
        RequestType.SUGGESTION: "建议",
        RequestType.PRAISE: "表扬",
        Domain.HOUSING: "城乡建设",
        Domain.TRANSPORT: "交通运输",
        Domain.ENVIRONMENT: "生态环境",
        Domain.LABOUR: "人社劳动",
        Domain.EDUCATION: "教育文体",
        Domain.HEALTH: "卫生健康",
        Domain.MARKET: "市场监管",
        Domain.COMMERCE: "商贸旅游",
        Domain.POLICE: "公安政法",
        Domain.CIVIL: "民政社会",
        Domain.RESOURCES: "自然资源",
        Domain.AGRICULTURE: "农业农村",
        Domain.UTILITIES: "水电气热",
        Domain.SAFETY: "应急消防",
        Domain.FINANCE: "财税金融",
        Domain.TELECOM: "通信邮政",
        Domain.GOVERNMENT: "政务效能",
        Domain.OTHER: "其他",
        Status.DRAFT: "待补充",
        Status.ACCEPTED: "已受理",
        Status.REFUSED: "不予受理",
        Status.DISPATCHED: "已派发",
        Status.SIGNED: "已签收",
        Status.RETURNED: "已退回",
        Status.EXTENDED: "已延期",
        Status.ANSWERED: "已答复",
        Status.CLOSED: "已办结",
        Status.REOPENED: "重新办理",
        Status.WITHDRAWN: "已撤回",
    }
)


class Value(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frozen record; fields are given by name.

    Values never form cycles, so the garbage collector need not look at them.
    A subclass repeats ``frozen=True, kw_only=True``: type checkers do not inherit them.
    """


class Requester(Value, frozen=True, kw_only=True):
    """Who speaks, as far as they said so."""

    kind: str = "person"  #: person or enterprise
    name: str | None = None
    phone: str | None = None  #: E.164
    email: str | None = None
    wechat: str | None = None  #: OpenID
    anonymous: bool = False
    confidential: bool = False
    language: str | None = None  #: BCP 47, e.g. zh-Hans, zh-Hant, en, bo, ug; None when unknown


class Place(Value, frozen=True, kw_only=True):
    """Where the matter is; coordinates are WGS-84 degrees."""

    text: str | None = None
    province: str | None = None
    city: str | None = None
    district: str | None = None
    street: str | None = None
    adcode: str | None = None  #: six digits, GB/T 2260
    latitude: float | None = None
    longitude: float | None = None


class Attachment(Value, frozen=True, kw_only=True):
    """A file that a citizen sent; its content is kept under its SHA-256."""

    id: str
    name: str
    media_type: str
    bytes: int  #: size in octets
    sha256: str  #: hex
    url: str | None = None  #: filled in the published form


class Elements(Value, frozen=True, kw_only=True):
    """The six elements of a record: 时间、地点、人物、事由、经过、结果 (Suzhou rules, 四(一))."""

    time: str | None = None
    place: str | None = None
    people: str | None = None
    event: str | None = None
    course: str | None = None
    result: str | None = None


class Content(Value, frozen=True, kw_only=True):
    """The citizen's words. ``original`` is literal; ``text`` is normalized."""

    title: str | None
    text: str
    original: str
    elements: Elements = Elements()


class ChannelRef(Value, frozen=True, kw_only=True):
    """By which channel and carrier message a ticket came."""

    kind: str
    account: str
    message_id: str
    called: str | None = None
    thread: str | None = None


class Evidence(Value, frozen=True, kw_only=True):
    """Why the judge decided so: a span of ``content.text`` in code points, and the rule it met."""

    claim: str  #: urgency, services, type, domain, verify or acceptance
    rule: str
    text: str
    start: int
    end: int
    weight: float


class Decision(Value, frozen=True, kw_only=True):
    """Whether the region's rules let the hotline take the matter on."""

    decision: str = "accepted"  #: accepted, refused or referred
    reason: str | None = None
    basis: str | None = None  #: the rule and its source
    refer_to: str | None = None


class RouteTaken(Value, frozen=True, kw_only=True):
    """Which route the ticket takes and why."""

    name: str
    to: str  #: name of the back-office adapter
    unit: str | None
    assist: tuple[str, ...] = ()
    why: str = ""


class Limits(Value, frozen=True, kw_only=True):
    """Until when the region's rules want each step done; None where they are silent."""

    dispatch_by: datetime | None = None
    sign_by: datetime | None = None
    contact_by: datetime | None = None
    finish_by: datetime | None = None
    policy: str | None = None  #: the region pack
    basis: str | None = None


class Related(Value, frozen=True, kw_only=True):
    """What else the ticket belongs to."""

    duplicate_of: str | None = None  #: number of the same citizen's earlier ticket
    cluster: str | None = None
    incidents: tuple[str, ...] = ()


class Disclosure(Value, frozen=True, kw_only=True):
    """Whether the citizen agreed to publication."""

    public: bool = False


class Judged(Value, frozen=True, kw_only=True):
    """What the judge found in one text: pure result of `gateway.judge.assess.assess`."""

    urgency: Urgency = Urgency.NORMAL
    verify: bool = False
    services: tuple[Service, ...] = ()  #: the first is the one most needed
    kind: str | None = None  #: kind of happening, e.g. fire, gas, drowning; None unless urgent
    type: RequestType = RequestType.CONSULTATION
    domain: Domain = Domain.OTHER
    evidence: tuple[Evidence, ...] = ()
    version: str = ""  #: of the rulebook


class Inbound(Value, frozen=True, kw_only=True):
    """What a channel saw, nothing inferred."""

    channel: str  #: kind
    account: str  #: the channel's name in the configuration
    message_id: str | None  #: the carrier's own; None where it gives none
    text: str  #: as decoded, literal
    received_at: datetime  #: our clock
    raw: bytes  #: evidence, bit-exact
    raw_type: str  #: media type of ``raw``
    #: What repeats are known by within (channel, account); None: two equal messages are two acts.
    key: str | None = None
    key_name: str = "id"  #: what the sender calls ``key``, for errors
    digest: str = ""  #: of the content, to tell a repeat from a reuse of the key
    requester: Requester = Requester()
    title: str | None = None
    type: RequestType | None = None  #: what the citizen chose
    domain: Domain | None = None  #: as ``type``
    place: Place = Place()
    attachments: tuple[Attachment, ...] = ()
    sent_at: datetime | None = None  #: the carrier's clock; None when not given
    occurred_at: datetime | None = None
    called: str | None = None
    thread: str | None = None
    public: bool = False
    exercise: bool = False
    draft: bool = False  #: broken off before the matter was told
    undecodable: bool = False  #: a human must look at ``raw``
    #: What the citizen should read is stored with the ticket and goes out to ``thread`` by the
    #: channel's messenger; False: the channel tells it in its own reply, or nobody.
    acknowledge: bool = False
    continues: str | None = None  #: ticket of this act's first words, as of a call that goes on
    touched: bool = False  #: an entry of a menu was touched; ``text`` is what stands for it
    full: str | None = None  #: what ``text`` was cut from, literal: a mail's quoted past
    cites: tuple[str, ...] = ()  #: tickets that it answers by ids nobody guesses, whoever sends
    remark: str | None = None  #: what the citizen is told beside the acknowledgement
    extra: Mapping[str, str] = {}


class Ticket(Value, frozen=True, kw_only=True):
    """What is stored at acceptance and never changed after."""

    id: str
    received_at: datetime
    channel: ChannelRef
    requester: Requester
    content: Content
    place: Place
    type: RequestType
    domain: Domain
    urgency: Urgency
    verify: bool
    services: tuple[Service, ...]
    evidence: tuple[Evidence, ...]
    acceptance: Decision
    route: RouteTaken
    limits: Limits
    occurred_at: datetime | None = None
    attachments: tuple[Attachment, ...] = ()
    duplicate_of: str | None = None
    public: bool = False
    exercise: bool = False
    kind: str | None = None  #: kind of happening, as `Judged.kind`
    rulebook: str = ""  #: version that judged it


class HistoryEntry(Value, frozen=True, kw_only=True):
    """One thing that happened to a ticket."""

    at: datetime
    event: str
    by: str
    text: str | None = None


class PublishedTicket(Value, frozen=True, kw_only=True):
    """The ticket of contract section 3: a view of the stored one and its events."""

    schema: str
    id: str
    number: str | None  #: None only in ``gateway explain``, which stores nothing
    status: Status
    status_label: str
    received_at: datetime
    occurred_at: datetime | None
    channel: ChannelRef
    requester: Requester
    content: Content
    place: Place
    attachments: tuple[Attachment, ...]
    type: RequestType
    type_label: str
    domain: Domain
    domain_label: str
    urgency: Urgency
    urgency_label: str
    verify: bool
    services: tuple[Service, ...]
    evidence: tuple[Evidence, ...]
    acceptance: Decision
    route: RouteTaken
    limits: Limits
    related: Related
    disclosure: Disclosure
    exercise: bool
    history: tuple[HistoryEntry, ...]


class Incident(Value, frozen=True, kw_only=True):
    """One happening that one service must see to (contract section 7)."""

    id: str
    service: str
    opened_at: datetime
    state: str  #: raised, acknowledged, escalated, returned or closed
    kind: str | None
    place: Place
    reports: tuple[str, ...] = ()  #: ticket numbers
    summary: str = ""
    contacts: tuple[str, ...] = ()  #: E.164
    exercise: bool = False
