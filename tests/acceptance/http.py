"""A citizen's, desk's or back office's HTTP client, over a real socket."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp


@dataclass(frozen=True)
class Answer:
    """What the gateway answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        found = json.loads(self.body)
        assert isinstance(found, dict), found
        return found

    @property
    def media_type(self) -> str:
        """The media type without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Client:
    """Requests to one gateway; each opens a connection of its own.

    Args:
        base: The URL of the ready line.
        source: The loopback address that the requests come from.
    """

    def __init__(self, base: str, source: str = "127.0.0.1") -> None:
        self.base = base
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(local_addr=(source, 0), force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=30),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Send one request and read the whole answer."""
        async with self._session.request(method, self.base + path, **more) as response:
            body = await response.read()
            return Answer(response.status, response.headers.copy(), body, str(response.url))

    async def get(self, path: str, **more: Any) -> Answer:
        """Send a GET request."""
        return await self.ask("GET", path, **more)

    async def post(self, path: str, **more: Any) -> Answer:
        """Send a POST request."""
        return await self.ask("POST", path, **more)

    def stream(self, path: str, **more: Any) -> Any:
        """Open a response whose body is read as it comes; an asynchronous context."""
        return self._session.get(self.base + path, **more)

    async def file(self, text: str, **fields: Any) -> dict[str, Any]:
        """File a request and return the 201 answer."""
        answer = await self.post("/api/v1/requests", json={"text": text, **fields})
        assert answer.status == 201, answer.text
        return answer.json

    async def progress(self, filed: Mapping[str, Any]) -> Answer:
        """Query the progress of what was filed."""
        return await self.get(
            f"/api/v1/requests/{filed['number']}", headers={"X-Query-Code": filed["query_code"]}
        )

    async def step(self, filed: Mapping[str, Any], step: str, **body: Any) -> Answer:
        """Take a citizen's step: ``messages``, ``rating`` or ``withdraw``."""
        return await self.post(
            f"/api/v1/requests/{filed['number']}/{step}",
            json=body,
            headers={"X-Query-Code": filed["query_code"]},
        )


def names_field(problem: Mapping[str, Any], field: str) -> bool:
    """Say whether a problem document names the field: as a word of any of its texts."""
    return any(field in _words(text) for text in _texts(problem))


def _words(text: str) -> set[str]:
    return set(
        "".join(c if c.isascii() and (c.isalnum() or c == "_") else " " for c in text).split()
    )


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for key, each in value.items() for text in (str(key), *_texts(each))]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []


def assert_problem(answer: Answer, field: str | None = None) -> dict[str, Any]:
    """Assert that a request was refused with an RFC 9457 problem document; return it."""
    assert 400 <= answer.status < 500, (answer.status, answer.text)
    assert answer.media_type == "application/problem+json", (answer.status, answer.media_type)
    problem = answer.json
    assert problem.get("status") == answer.status  # RFC 9457 section 3.1.2
    assert isinstance(problem.get("title"), str)
    assert problem["title"]
    if field is not None:
        assert names_field(problem, field), problem
    return problem
