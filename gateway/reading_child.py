"""The reading process: ``python -m gateway.reading_child SOCKET PARENT``.

Started by `gateway.reading` only. The first frame to it is the configuration and the version of the
rulebook that the parent has in force; each frame after it is a MessagePack list of messages and is
answered by their tickets as JSON, and what went wrong by position. It ends when the socket closes
or its parent dies.
"""

import gc
import pickle
import socket
import sys
from collections.abc import Iterator

import msgspec

from gateway.compose import Rules, compose_all
from gateway.frames import frames, send, settle_in
from gateway.ids import new_id
from gateway.rounds import read_each
from gateway.rules import compile_rules
from normalizer.errors import ConfigError
from normalizer.schema import Inbound

_encode = msgspec.json.Encoder().encode
_greet = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Inbound]).decode


def rules_of(first: bytes) -> Rules:
    """Return the rules of the parent's configuration.

    Raises:
        ConfigError: They cannot be had, or are not those that the parent has in force.
    """
    loaded, version = pickle.loads(first)  # noqa: S301 - by our own parent over a pair of sockets
    rules = compile_rules(loaded)
    if rules.rulebook.version != version:
        raise ConfigError("the lexicon or the model on the disk is not the one in force; reload it")
    return rules


def answer(frame: bytes, rules: Rules) -> bytes:
    """Return the frame that answers a batch: one that cannot be read fails alone."""
    found = read_each(lambda inbounds: compose_all(inbounds, rules, new_id), _decode(frame))
    # Of a fault its kind: the parent reads the message itself, and says what is wrong.
    errors = {n: type(one).__name__ for n, one in enumerate(found) if isinstance(one, Exception)}
    return _encode(([None if n in errors else one for n, one in enumerate(found)], errors))


def serve(connection: socket.socket, asked: Iterator[bytes], rules: Rules) -> None:
    """Read batches until the other end closes."""
    for frame in asked:
        send(connection, answer(frame, rules))


def main(arguments: list[str]) -> int:
    """Read for the parent; 0 when it is done."""
    descriptor, parent = arguments
    settle_in(int(parent))
    with socket.socket(fileno=int(descriptor)) as connection:
        asked = frames(connection)
        first = next(asked, None)
        if first is None:
            return 1
        try:
            rules = rules_of(first)
        except ConfigError as error:
            send(connection, _greet(str(error)))
            return 1
        gc.freeze()  # the rules live as long as the process
        try:
            send(connection, _greet(None))
            serve(connection, asked, rules)
        except ConnectionError:  # the parent died: there is nobody to answer
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
