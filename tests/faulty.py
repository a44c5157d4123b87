"""A proxy in front of an HTTP server that answers, delays or breaks off requests as a test says."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

#: What becomes of a request, by its method and number: "" passes it on; the rest is in `_Handler.pass_on`.
Fault = Callable[[str, int], str]
_ANSWERS = {
    "500": (500, "InternalError", "We encountered an internal error. Please try again."),
    "503": (503, "SlowDown", "Please reduce your request rate."),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "denied": (403, "AccessDenied", "Access Denied"),
}


class FaultyProxy:
    """Passes requests on to a port of this machine. A context manager; `fault` may be changed at any time."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.fault: Fault = lambda method, number: ""
        self.requests = 0
        self.faults = 0
        self.slow_s = 1.0
        self.guard = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    def verdict(self, method: str) -> str:
        with self.guard:
            self.requests += 1
            told = self.fault(method, self.requests)
            self.faults += bool(told)
            return told


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyProxy
    protocol_version = "HTTP/1.1"

    def pass_on(self) -> None:
        fault = self.owner.verdict(self.command)
        length = int(self.headers.get("Content-Length") or 0)
        if fault == "reset":
            # In the middle of an upload: half of the body is read, then the connection is reset.
            self.rfile.read(length // 2)
            self.reset()
            return
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # BaseHTTPRequestHandler has sent the interim answer already.
        body = self.rfile.read(length)
        if fault in _ANSWERS:
            self.say(*_ANSWERS[fault])
            return
        if fault == "slow":
            time.sleep(self.owner.slow_s)
        onward = http.client.HTTPConnection("127.0.0.1", self.owner.target, timeout=60)
        onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "expect":
                onward.putheader(name, value)
        onward.endheaders(body)
        answer = onward.getresponse()
        data = answer.read()
        onward.close()
        if fault == "lost":
            # It was done, and the client never hears of it.
            self.reset()
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", size or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815

    def say(self, status: int, code: str, message: str) -> None:
        data = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):
            # The client, or this very test, has closed the connection.
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return

    def log_message(self, *_: object) -> None:
        """Says nothing."""
