"""An OpenAI-compatible chat endpoint on loopback, answering as it was told to: a real HTTP server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def completion(content: str, top: dict[str, float] | None = None) -> dict[str, Any]:
    """Return a chat completion.

    Args:
        content: what the model says.
        top: log-probabilities of the digits at the place of the answer; none without.
    """
    choice: dict[str, Any] = {"message": {"role": "assistant", "content": content}}
    if top is not None:
        alternatives = [{"token": token, "logprob": value} for token, value in top.items()]
        tokens = [
            {"token": '{"category', "top_logprobs": []},
            {"token": '": ', "top_logprobs": []},
            {"token": next(iter(top)), "top_logprobs": alternatives},
        ]
        choice["logprobs"] = {"content": tokens}
    return {"choices": [choice], "usage": {"prompt_tokens": 900, "completion_tokens": 6}}


class ChatServer:
    """Answers requests with ``reply``; remembers what it was asked.

    Attributes:
        requests: bodies, in the order of arrival.
        headers: of the last request, names in lower case.
        reply: from a body and its number to (HTTP status, answer), or (status, answer, headers).
    """

    def __init__(self, reply: Callable[[dict[str, Any], int], tuple[Any, ...]]) -> None:
        self.reply = reply
        self.requests: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """URL up to /v1."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def reviews(self) -> list[str]:
        """Return the reviews that were asked about."""
        return [json.loads(r["messages"][-1]["content"])["review"] for r in self.requests]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with server._lock:
                    server.requests.append(body)
                    server.headers = {k.lower(): v for k, v in self.headers.items()}
                    number = len(server.requests)
                status, answer, *more = server.reply(body, number)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def chat_server(reply: Callable[[dict[str, Any], int], tuple[Any, ...]]) -> Iterator[ChatServer]:
    """Run a server in a thread."""
    server = ChatServer(reply)
    thread = threading.Thread(target=server._server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._server.shutdown()
        server._server.server_close()
        thread.join()
