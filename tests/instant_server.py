"""A server that answers every request at once with the same bytes, so that it costs hardly anything itself.

    python tests/instant_server.py PORT

The answer is `unknown`, which every variable has, with the log probabilities of 60 tokens, five at each
place.
"""

import asyncio
import json
import sys

from typing_extensions import override

_TEXT = (
    '{"quotes": [], "rationale": "Nothing in the paper tells, so it stays open here.", "label": "unknown"}'
)
_WORD = '{"word": "reprocensus-7f3a"}'


def _response(body: object) -> bytes:
    raw = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(raw),
        raw,
    )


def _completion(text: str, cached: int = 11_000) -> bytes:
    likely = [{"token": t, "logprob": -0.5 - i, "bytes": [65, 66]} for i, t in enumerate("abcde")]
    places = [{"token": t, "logprob": -0.1, "bytes": [65], "top_logprobs": likely} for t in text][-60:]
    message = {"role": "assistant", "content": text}
    choice = {"message": message, "finish_reason": "stop", "logprobs": {"content": places}}
    usage = {
        "prompt_tokens": 12_000,
        "completion_tokens": 60,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return _response({"choices": [choice], "usage": usage})


_ANSWER, _OBEYED = _completion(_TEXT), _completion(_WORD)
_MODELS = _response({"data": [{"id": "tiny", "max_model_len": 65536}]})
_NOTHING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class _Connection(asyncio.Protocol):
    """One connection: reads a request to its end, then writes what fits its first line."""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = bytearray()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.write(_answer(head, body))
            del self._buffer[: end + 4 + length]


def _answer(head: bytes, body: bytearray) -> bytes:
    if b"/chat/completions" in head[:60]:
        return _OBEYED if b'"word"' in body[-2000:] else _ANSWER
    return _MODELS if b"/models" in head[:60] else _NOTHING


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port)
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
