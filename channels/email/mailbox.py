"""A mailbox read by IMAP, in a thread of its own: a hung server holds nobody else up.

The mailbox itself tells what was taken: a mail that is durable gets the keyword `TAKEN`, or is
moved. So a crash, a new UIDVALIDITY or a restored mailbox needs no memory of ours; what is fetched
twice has the key of the first time.

Sources: RFC 9051, RFC 2177 (IDLE: re-issued before 29 minutes), RFC 2971 (ID: NetEase refuses
SELECT without it), RFC 6851 (MOVE).
"""

import contextlib
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from imaplib import IMAP4

from imapclient import IMAPClient, SocketTimeout

from channels.email.mime import MAIL_OCTETS
from channels.email.settings import ImapAt
from channels.tls import reason
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: Keyword of a mail that is durable.
TAKEN = b"HotlineTaken"
_SEEN = b"\\Seen"
#: Mails and octets that are fetched at once.
BATCH = 50
BATCH_OCTETS = 8 * 1024 * 1024
_RETRY_S = (1.0, 120.0)


class Fetched(Value, frozen=True, kw_only=True):
    """A mail of the mailbox."""

    uid: int
    raw: bytes


#: Returns the uids of those mails that are durable now; called in the mailbox's thread.
Take = Callable[[Sequence[Fetched]], set[int]]


class Mailbox:
    """Reads one mailbox until it is stopped.

    Args:
        at: Where it is.
        name: The channel's, for the log.
        take: Makes mails durable.
        context: What the server's certificate is checked with.
    """

    def __init__(self, at: ImapAt, name: str, take: Take, context: ssl.SSLContext) -> None:
        self._at = at
        self._name = name
        self._take = take
        self._context = context
        self._stop = threading.Event()
        self._client: IMAPClient | None = None
        self._keyword = False
        self._highest: tuple[int, int] = (0, 0)  # UIDVALIDITY, highest UID that was looked at
        self.trouble: str | None = None  #: why it cannot be read now

    def stop(self) -> None:
        """Make `run` return soon, whatever it waits for."""
        self._stop.set()
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError, AttributeError, IMAP4.error):
                client.shutdown()

    def run(self) -> None:
        """Read the mailbox, connecting again with growing delays, until `stop`."""
        # It logs the conversation at its lowest level, mails included.
        logging.getLogger("imapclient").setLevel(logging.WARNING)
        delay = _RETRY_S[0]
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._session() as client:
                    delay = _RETRY_S[0]
                    self.trouble = None
                    self._serve(client)
            except (IMAP4.error, OSError, ValueError, EOFError, LookupError, TypeError) as error:
                if self._stop.is_set():
                    return
                self.trouble = reason(error) or f"{type(error).__name__}: {self._said(error)}"
                log.warning(
                    "email.mailbox_lost",
                    extra={"channel": self._name, "error": type(error).__name__},
                )
            if time.monotonic() - began > _RETRY_S[1]:
                delay = _RETRY_S[0]
            self._stop.wait(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            delay = min(delay * 2, _RETRY_S[1])

    def _said(self, error: BaseException) -> str:
        """Return what an error says, on one line, without what a server may quote of the login."""
        text = " ".join(str(error).split())
        for secret in (self._at.password.get_secret_value(), self._at.user):
            text = text.replace(secret, "…")
        return text[:120]

    @contextlib.contextmanager
    def _session(self) -> Iterator[IMAPClient]:
        at = self._at
        limit = at.timeout.total_seconds()
        client = IMAPClient(
            at.host,
            at.port,
            ssl=at.tls == "implicit",
            ssl_context=self._context if at.tls == "implicit" else None,
            timeout=SocketTimeout(connect=min(10.0, limit), read=limit),
        )
        self._client = client
        try:
            if at.tls == "starttls":
                client.starttls(self._context)
            client.login(at.user, at.password.get_secret_value())
            if client.has_capability("ID"):
                client.id_({"name": "intake-gateway", "version": "1", "vendor": "intake-gateway"})
            yield client
        finally:
            self._client = None
            with contextlib.suppress(OSError, AttributeError, IMAP4.error):
                client.shutdown()

    def _serve(self, client: IMAPClient) -> None:
        chosen = client.select_folder(self._at.folder)
        flags = chosen.get(b"PERMANENTFLAGS", ())
        self._keyword = b"\\*" in flags or TAKEN in flags
        validity = int(chosen.get(b"UIDVALIDITY", 0))
        if validity != self._highest[0]:
            self._highest = (validity, 0)
        idles = client.has_capability("IDLE")
        while not self._stop.is_set():
            self._drain(client)
            if idles:
                self._idle(client)
            else:
                self._stop.wait(self._at.poll.total_seconds())
                client.noop()

    def _idle(self, client: IMAPClient) -> None:
        """Return when something may have come; a connection that is gone raises.

        IDLE is issued anew after each ``poll``: a connection that a middle box forgot stays
        silent for ever, and only a question shows it.
        """
        client.idle()
        until = time.monotonic() + self._at.poll.total_seconds()
        if _buffered(client):
            until = 0.0
        while not self._stop.is_set() and time.monotonic() < until:
            began = time.monotonic()
            pushed = client.idle_check(timeout=max(0.1, until - began))
            if any(len(each) > 1 and each[1] in {b"EXISTS", b"RECENT"} for each in pushed):
                break
            if not pushed and time.monotonic() < until - 0.1:
                raise EOFError("the server closed the connection")
            if any(each[:1] == (b"BYE",) for each in pushed):
                raise EOFError("the server said goodbye")
        client.idle_done()

    def _drain(self, client: IMAPClient) -> None:
        """Take all that waits, of a long backlog from both its ends by turns.

        A cry for help is likelier to be among the newest, and the oldest have waited longest. The
        oldest go first: what was taken tells where we began. Where the server keeps no keywords,
        only their order does, and it must hold.
        """
        ordered = not self._keyword and self._at.move_to is None
        newest = True
        failed: set[int] = set()
        while not self._stop.is_set():
            _news(client)
            waiting = [uid for uid in self._waiting(client) if uid not in failed]
            if not waiting and not _news(client):
                return
            if not waiting:
                continue
            newest = not newest and not ordered
            done = self._batch(client, waiting[-BATCH:] if newest else waiting[:BATCH], failed)
            if not done and failed:
                self._stop.wait(2.0)  # the store is down: nothing is lost, it all stays here
                raise OSError("mails could not be made durable")
            self._highest = (self._highest[0], max(self._highest[1], *done, 0))

    def _waiting(self, client: IMAPClient) -> list[int]:
        """Return the uids of the mails that are not durable yet.

        Unread ones, and read ones that came after the first that was ever taken: somebody read
        them in another program while we were away. Older read ones were there before us.
        """
        if self._at.move_to is not None:
            return sorted(client.search(["UNDELETED"]))
        if not self._keyword:
            unseen = set(client.search(["UNSEEN", "UNDELETED"]))
            known = self._highest[1]
            later = {u for u in client.search(["UNDELETED"]) if u > known} if known else set()
            return sorted(unseen | later)
        word = TAKEN.decode()
        open_ = client.search(["UNKEYWORD", word, "UNDELETED"])
        if not open_:
            return []
        unseen = set(client.search(["UNKEYWORD", word, "UNSEEN", "UNDELETED"]))
        if len(unseen) == len(open_):
            return sorted(open_)
        taken = client.search(["KEYWORD", word])
        first = min(taken, default=None)
        return sorted(u for u in open_ if u in unseen or (first is not None and u > first))

    def _batch(self, client: IMAPClient, uids: Sequence[int], failed: set[int]) -> list[int]:
        """Make a few mails durable, then mark them; return which are done."""
        sizes = client.fetch(uids, ["RFC822.SIZE"])
        done: list[int] = []
        for chunk in _chunks(uids, {u: int(s.get(b"RFC822.SIZE", 0)) for u, s in sizes.items()}):
            # A partial fetch never brings more than is read: one giant mail costs 30 MB at most.
            item = f"BODY.PEEK[]<0.{MAIL_OCTETS + 1024}>"
            answers = client.fetch(chunk, [item])
            mails = [Fetched(uid=u, raw=_body(answers[u])) for u in chunk if u in answers]
            taken = self._take(mails) if mails else set()
            gone = {u for u in chunk if u not in answers}
            failed |= set(chunk) - taken
            if taken:
                self._mark(client, sorted(taken))
            done += sorted(taken | gone)
        return done

    def _mark(self, client: IMAPClient, uids: list[int]) -> None:
        if self._at.move_to is None:
            client.add_flags(uids, [TAKEN, _SEEN] if self._keyword else [_SEEN], silent=True)
        elif client.has_capability("MOVE"):
            client.move(uids, self._at.move_to)
        else:
            client.copy(uids, self._at.move_to)
            client.delete_messages(uids, silent=True)
            client.expunge(uids) if client.has_capability("UIDPLUS") else client.expunge()


def _buffered(client: IMAPClient) -> bool:
    """Return whether a push came with the answer to IDLE and was read with it.

    `IMAPClient.idle_check` waits for the socket and would not see it.
    """
    sock = client.socket()
    limit = sock.gettimeout()
    sock.setblocking(False)
    try:
        return bool(client._imap.file.peek(1))  # noqa: SLF001 - IMAPClient gives no other way
    except ssl.SSLWantReadError:
        return False
    finally:
        sock.settimeout(limit)


def _news(client: IMAPClient) -> bool:
    """Return whether the server has told of mails since this was last asked.

    It may tell so in its answer to any command, and IDLE does not tell it again.
    """
    _, told = client._imap.response("EXISTS")  # noqa: SLF001 - IMAPClient gives no other way
    return bool(told) and told[0] is not None


def _chunks(uids: Sequence[int], sizes: dict[int, int]) -> Iterator[list[int]]:
    chunk: list[int] = []
    octets = 0
    for uid in uids:
        size = min(sizes.get(uid, 0), MAIL_OCTETS)
        if chunk and octets + size > BATCH_OCTETS:
            yield chunk
            chunk, octets = [], 0
        chunk.append(uid)
        octets += size
    if chunk:
        yield chunk


def _body(answer: dict[bytes, object]) -> bytes:
    for key, value in answer.items():
        if key.startswith(b"BODY[]") and isinstance(value, bytes):
            return value
    return b""
