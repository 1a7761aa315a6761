"""A wire to a server that can be cut where a transaction is committed."""

import contextlib
import socket
import threading


class Wire:
    """Carries connections to a port of this machine.

    Args:
        port: Of the server.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self.armed = False  #: the next COMMIT is told to `committing`, and its connection is cut
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def takes(self) -> bool:
        """Return whether a connection is carried."""
        return True

    def committing(self, source: socket.socket, sink: socket.socket, data: bytes) -> None:
        """Do what is to be done with a COMMIT before its connection is cut."""
        raise NotImplementedError

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._socket.accept()
            except OSError:
                return
            if not self.takes():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            for pair in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, asking: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if asking and self.armed and b"COMMIT" in data:
                    self.armed = False
                    self.committing(source, sink, data)
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
