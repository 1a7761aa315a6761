"""The ends that simulated citizens write from, one a protocol."""

import time
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

import aiohttp
import aiosmtplib

from channels.wechat.simulator.pusher import OUT_OF_ORDER, Account, Pusher, members
from gateway.clock import SystemClock
from gateway.peers.answers import code_in, number_in
from gateway.peers.mailboxes import Mailboxes, letter
from gateway.peers.portal import Told, by_form, by_json, by_open311, by_push
from gateway.peers.telephones import Telephones
from gateway.simulate.acts import Act
from normalizer.errors import ConfigError
from normalizer.schema import Value

#: Seconds that a citizen, or a carrier, waits for an answer.
PATIENCE_S = 30.0
#: What a connection that breaks off raises.
BROKEN = (OSError, TimeoutError, aiohttp.ClientError, aiosmtplib.SMTPException)
_PHOTO_IN = 4  #: every so manieth form has a photograph
_CHINA = ZoneInfo("Asia/Shanghai")  # what Alibaba Cloud tells times in
_REFUSED = range(400, 500)

State = Literal["accepted", "refused", "failed"]


class Outcome(Value, frozen=True, kw_only=True):
    """What came back for one message."""

    state: State  #: refused: for its content; failed: an error of the other side, or no answer
    number: str = ""  #: of the ticket; empty: the protocol told none
    code: str = ""  #: query code, likewise
    seconds: float = 0.0


class End(Protocol):
    """Where messages of one target are sent from."""

    @property
    def name(self) -> str:
        """What reports call the target: its address without secrets."""

    @property
    def base(self) -> str | None:
        """The gateway's HTTP side, where its address tells it."""

    @property
    def repeats(self) -> bool:
        """Whether the protocol names messages, so that a repeat is one."""

    async def open(self) -> None:
        """Make ready. Raises `ConfigError` where it cannot."""

    async def send(self, act: Act) -> Outcome:
        """Send an act, or send it again, and return what came back. Raises one of `BROKEN`."""

    async def close(self) -> None:
        """Let go of everything."""


def session() -> aiohttp.ClientSession:
    """Return a session that opens as many connections as there are citizens."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)


class Http:
    """What the ends at the HTTP side share.

    Args:
        name: What reports call it.
        base: The gateway's HTTP side.
    """

    repeats = True

    def __init__(self, name: str, base: str) -> None:
        self.name = name
        self.base: str | None = base
        self._base = base
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready."""
        self._session = session()

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("open it first")
        return self._session


class Portal(Http):
    """Citizens at the web channel: apps, the form, apps of Open311."""

    async def send(self, act: Act) -> Outcome:
        """Send by one of the three ways, the same one again."""
        ways = (self._app, self._form, self._open311)
        began = time.perf_counter()
        return _outcome(await ways[act.way % len(ways)](act), began)

    async def _app(self, act: Act) -> Told:
        return await by_json(self._http, self._base, _fields(act), act.id)

    async def _form(self, act: Act) -> Told:
        photo = "现场.jpg" if act.way % _PHOTO_IN == 0 else ""
        return await by_form(self._http, self._base, _fields(act), act.id, photo)

    async def _open311(self, act: Act) -> Told:
        fields = {
            "service_code": act.domain,
            "address_string": act.place,
            "description": act.text,
            "phone": act.phone,
        }
        return await by_open311(self._http, self._base, fields, act.id)


def _fields(act: Act) -> dict[str, str]:
    told = {"text": act.text, "phone": act.phone, "title": act.title, "type": act.type}
    return {name: value for name, value in told.items() if value} | {"address": act.place}


def _outcome(told: Told, began: float) -> Outcome:
    seconds = time.perf_counter() - began
    if told.number:
        return Outcome(state="accepted", number=told.number, code=told.code, seconds=seconds)
    return Outcome(state="refused" if told.status in _REFUSED else "failed", seconds=seconds)


def _read(words: str, began: float) -> Outcome:
    """Return the outcome of an answer that is written for people; empty: none came."""
    seconds = time.perf_counter() - began
    if not words:
        return Outcome(state="failed", seconds=seconds)
    return Outcome(state="accepted", number=number_in(words), code=code_in(words), seconds=seconds)


class Partner(Http):
    """A partner platform that signs what its users wrote."""

    def __init__(self, name: str, base: str, account: str, secret: str) -> None:
        super().__init__(name, base)
        self._url = f"{base}/channels/webhook/{account}"
        self._secret = secret

    async def send(self, act: Act) -> Outcome:
        """Push one message."""
        message = {"id": act.id, "from": act.phone, "text": act.text}
        began, now = time.perf_counter(), SystemClock().now()
        return _outcome(await by_push(self._http, self._url, self._secret, message, now), began)


class Cloud(Http):
    """A provider of text messages that pushes as Alibaba Cloud does; its answer names no ticket."""

    def __init__(self, name: str, base: str, account: str, secret: str) -> None:
        super().__init__(name, base)
        self._url = f"{base}/channels/sms/{account}/{secret}"

    async def send(self, act: Act) -> Outcome:
        """Push one message."""
        item = {
            "phone_number": act.phone,
            "content": act.text,
            "send_time": f"{SystemClock().now().astimezone(_CHINA):%Y-%m-%d %H:%M:%S}",
            "dest_code": "1234",
            "sequence_id": act.id,
        }
        began = time.perf_counter()
        async with self._http.post(self._url, json=[item]) as answer:
            await answer.read()
        seconds = time.perf_counter() - began
        if answer.status == 200:
            return Outcome(state="accepted", seconds=seconds)
        return Outcome(state="refused" if answer.status in _REFUSED else "failed", seconds=seconds)


class Chat(Http):
    """Citizens who follow an official account; the reply that WeChat shows them at once is read."""

    def __init__(self, name: str, base: str, path: str, account: Account) -> None:
        super().__init__(name, base)
        self._pusher = Pusher(account, f"{base}/channels/wechat/{path}")

    async def open(self) -> None:
        """Have the platform's console take the account's address."""
        await self._pusher.__aenter__()
        try:
            known = await self._pusher.shake()
        except BROKEN as error:
            raise ConfigError(f"{self.name}: not reached: {type(error).__name__}") from None
        if not known:
            raise ConfigError(f"{self.name}: refused; compare app id, token and key")

    async def close(self) -> None:
        """Push no more."""
        await self._pusher.__aexit__()

    async def send(self, act: Act) -> Outcome:
        """Push what a citizen wrote; where the answer comes later, no number is known."""
        written = members("text", f"oSim{act.id[:24]}", Content=act.text)
        written |= {"MsgId": int(act.id[:15], 16), "CreateTime": int(time.time())}
        began = time.perf_counter()
        pushed = await self._pusher.push(written)
        if pushed.shown == OUT_OF_ORDER:
            return _read("", began)
        return _read(pushed.shown or "success", began)


class Mail:
    """Citizens who write letters, each from a mailbox of their own.

    Args:
        name: What reports call it.
        at: Host and port of the hotline's listener.
        to: The hotline's address.
        answers: Where its ``outgoing`` server is to be, to read what it answers; None: nobody does.
    """

    repeats = True
    base = None

    def __init__(
        self, name: str, at: tuple[str, int], to: str, answers: tuple[str, int] | None
    ) -> None:
        self.name = name
        self._at = at
        self._to = to
        self._mailboxes = Mailboxes(*answers) if answers is not None else None

    async def open(self) -> None:
        """Listen for answers."""
        if self._mailboxes is not None:
            try:
                await self._mailboxes.start()
            except OSError as error:
                raise ConfigError(f"{self.name}: answers: {error.strerror or error}") from None

    async def close(self) -> None:
        """Listen no more."""
        if self._mailboxes is not None:
            await self._mailboxes.stop()

    async def send(self, act: Act) -> Outcome:
        """Hand a letter over, and read the acknowledgement of it where we can."""
        citizen = f"{act.id}@citizens.example"
        began = time.perf_counter()
        await self._hand_over(act, citizen)
        seconds = time.perf_counter() - began
        if self._mailboxes is None:
            return Outcome(state="accepted", seconds=seconds)
        words = await self._mailboxes.first(citizen, PATIENCE_S)
        return Outcome(
            state="accepted", number=number_in(words), code=code_in(words), seconds=seconds
        )

    async def _hand_over(self, act: Act, citizen: str) -> None:
        mail = letter(
            by=citizen,
            to=self._to,
            subject=act.title or act.text[:20],
            text=f"{act.text}\n{act.phone}",
            id_=f"<{act.id}@citizens.example>",
            at=SystemClock().now(),
        )
        host, port = self._at
        await aiosmtplib.send(
            mail,
            sender=citizen,
            recipients=[self._to],
            hostname=host,
            port=port,
            start_tls=False,
            timeout=PATIENCE_S,
        )


class Texts:
    """A message centre of SMPP and the telephones behind it; the gateway binds to it.

    No message has a name there: the same words sent twice are two acts, so nothing is sent again.

    Args:
        name: What reports call it.
        at: Host and port to listen on.
        number: Of the hotline.
    """

    repeats = False
    base = None

    def __init__(self, name: str, at: tuple[str, int], number: str) -> None:
        self.name = name
        self._telephones = Telephones(number, *at)

    async def open(self) -> None:
        """Listen until the gateway has bound."""
        try:
            await self._telephones.centre.__aenter__()
            await self._telephones.centre.bound(PATIENCE_S)
        except TimeoutError:
            raise ConfigError(f"{self.name}: no gateway has bound to this address") from None
        except OSError as error:
            raise ConfigError(f"{self.name}: {error.strerror or error}") from None

    async def close(self) -> None:
        """Listen no more."""
        await self._telephones.centre.__aexit__()

    async def send(self, act: Act) -> Outcome:
        """Send a text and read the one that comes back."""
        began = time.perf_counter()
        return _read(await self._telephones.exchange(f"86{act.phone}", act.text, PATIENCE_S), began)
