"""Fuzzes extraction with mutated papers: `make fuzz ARGS="--seconds 600"`, or a few in the suite.

Each case is a sample paper and a seed, and nothing else: `--case PAPER:SEED` makes it again. What must hold
stands in `broken_promises`; besides, a case may only fail as `failures.KINDS` says, "crash" excepted, and
within its time.
"""

import argparse
import random
import re
import sys
import time
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from reprocensus.errors import ExtractError
from reprocensus.extract import KINDS, ExtractPool
from reprocensus.records import Extracted

PAPERS = Path(__file__).parents[1] / "samples" / "papers"
#: A case on a small paper takes a fraction of a second; one that takes this long hangs.
LIMIT_S = 20.0
#: Deflated streams at most this large are opened; pictures are not worth it.
_OPEN_UP_TO = 2_000_000

_OBJECT = re.compile(rb"(?:^|[\r\n])(\d+) 0 obj\b(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?")
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
_NAME = re.compile(rb"/[A-Za-z]\w*")
_NUMBERS = (
    b"0",
    b"-1",
    b"1e38",
    b"-2147483648",
    b"4294967296",
    b"99999999999999999999",
    b"0.0000001",
    b"nan",
)


def broken_promises(found: Extracted) -> list[str]:
    """What a document promises its readers and does not keep; nothing, if all is well."""
    text, starts, sections = found.text, found.page_starts, found.sections
    odd = {char for char in set(text) if char != "\n" and unicodedata.category(char) in ("Cc", "Cs")}
    ends = [0, *(section.end for section in sections)]
    checks = {
        "page starts go back": list(starts) != sorted(starts),
        "page starts lie outside the text": any(not 0 <= start <= len(text) for start in starts),
        "no pages": not starts,
        "the first page does not start at 0": bool(starts) and starts[0] != 0,
        "sections leave gaps or overlap": [section.start for section in sections] != ends[:-1],
        "sections do not end with the text": ends[-1] != len(text),
        "an empty section": any(section.start >= section.end for section in sections),
        f"control characters or lone surrogates {sorted(map(ascii, odd))}": bool(odd),
        "no text, and no failure": not text.strip(),
        "a title of several lines": "\n" in found.title,
    }
    return [what for what, broken in checks.items() if broken]


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One to four mutations of a PDF, drawn by `chance`."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(_MUTATIONS)(data, chance)
    return data


def _in_streams(
    change: Callable[[bytearray, random.Random], None],
) -> Callable[[bytes, random.Random], bytes]:
    """A mutation of what some deflated streams hold; they are packed again, and /Length corrected."""

    def mutation(data: bytes, chance: random.Random) -> bytes:
        found = list(_STREAM.finditer(data))
        for match in sorted(chance.sample(found, min(3, len(found))), key=lambda m: -m.start()):
            try:
                inner = bytearray(zlib.decompressobj().decompress(match[1], _OPEN_UP_TO))
            except zlib.error:
                continue
            change(inner, chance)
            packed = zlib.compress(bytes(inner), 1)
            head = data[max(0, match.start() - 400) : match.start()]
            head = re.sub(rb"/Length \d+(?! \d+ R)", b"/Length %d" % len(packed), head)
            body = b"stream\n" + packed + b"\nendstream"
            data = data[: max(0, match.start() - 400)] + head + body + data[match.end() :]
        return data

    return mutation


def _flip(inner: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 40) if inner else 0):
        inner[chance.randrange(len(inner))] = chance.randrange(256)


def _cut(inner: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(inner) + 1)
    del inner[start : start + chance.randint(1, 5000)]


def _repeat(inner: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(inner) + 1)
    inner[start:start] = inner[start : start + 2000] * chance.randint(1, 20)


def _shuffle_lines(inner: bytearray, chance: random.Random) -> None:
    lines = bytes(inner).split(b"\n")
    chance.shuffle(lines)
    inner[:] = b"\n".join(lines)


def _odd_numbers(inner: bytearray, chance: random.Random) -> None:
    inner[:] = _swap_some(_NUMBER, bytes(inner), lambda: chance.choice(_NUMBERS), chance)


def _swap_some(
    what: re.Pattern[bytes], data: bytes, new: Callable[[], bytes], chance: random.Random
) -> bytes:
    """Replaces a few of a pattern's matches."""
    found = list(what.finditer(data))
    for match in sorted(
        chance.sample(found, min(chance.randint(1, 10), len(found))), key=lambda m: -m.start()
    ):
        data = data[: match.start()] + new() + data[match.end() :]
    return data


def _raw_flip(data: bytes, chance: random.Random) -> bytes:
    inner = bytearray(data)
    _flip(inner, chance)
    return bytes(inner)


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) // 2, len(data))] if len(data) > 2 else data


def _duplicate(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start : start + 20_000] + data[start:]


def _swap_objects(data: bytes, chance: random.Random) -> bytes:
    """Two objects change their bodies: a font where a page should be."""
    found = list(_OBJECT.finditer(data))
    if len(found) < 2:
        return data
    one, two = sorted(chance.sample(found, 2), key=lambda m: m.start())
    return data[: one.start(2)] + two[2] + data[one.end(2) : two.start(2)] + one[2] + data[two.end(2) :]


def _swap_references(data: bytes, chance: random.Random) -> bytes:
    numbers = [match[1] for match in _REFERENCE.finditer(data)] or [b"1"]
    return _swap_some(_REFERENCE, data, lambda: chance.choice(numbers) + b" 0 R", chance)


def _swap_names(data: bytes, chance: random.Random) -> bytes:
    names = _NAME.findall(data) or [b"/X"]
    return _swap_some(_NAME, data, lambda: chance.choice(names), chance)


def _swap_numbers(data: bytes, chance: random.Random) -> bytes:
    return _swap_some(_NUMBER, data, lambda: chance.choice(_NUMBERS), chance)


def _break_xref(data: bytes, chance: random.Random) -> bytes:
    place = data.rfind(b"startxref")
    return data[:place] + b"startxref\n%d\n%%%%EOF\n" % chance.randrange(len(data)) if place >= 0 else data


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *map(_in_streams, (_flip, _cut, _repeat, _shuffle_lines, _odd_numbers, _odd_numbers)),
    _raw_flip,
    _truncate,
    _duplicate,
    _swap_objects,
    _swap_references,
    _swap_names,
    _swap_numbers,
    _break_xref,
)


def case(name: str) -> bytes:
    """The PDF of a case `PAPER:SEED`, PAPER being a sample's file name."""
    paper, _, seed = name.rpartition(":")
    return mutate(next(PAPERS.glob(f"*/{paper}")).read_bytes(), random.Random(name if seed else paper))


def cases(seed: int, papers: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Cases without end, each named."""
    while True:
        for paper in papers:
            name = f"{paper.name}:{seed}"
            yield name, case(name)
        seed += 1


def verdict(outcome: Extracted | ExtractError) -> tuple[str, list[str]]:
    """How a case ended, and what is wrong with that."""
    if isinstance(outcome, Extracted):
        return "text", broken_promises(outcome)
    wrong = outcome.kind not in KINDS or outcome.kind in ("crash", "timeout")
    return outcome.kind, [str(outcome)] if wrong else []


def fuzz(
    seconds: float, seed: int, papers: list[Path], workers: int = 2
) -> tuple[Counter[str], dict[str, str]]:
    """Runs cases for a while: how they ended, and what fell out by the case's name."""
    ended: Counter[str] = Counter()
    fell_out: dict[str, str] = {}
    until = time.monotonic() + seconds

    def timed() -> Iterator[tuple[str, bytes]]:
        for item in cases(seed, papers):
            if time.monotonic() > until:
                return
            yield item

    with ExtractPool(workers, timeout_s=LIMIT_S, memory_mb=1000) as pool:
        for name, outcome in pool.extract_all(timed()):
            kind, wrong = verdict(outcome)
            ended[kind] += 1
            if wrong:
                fell_out[name] = "; ".join(wrong)
                print(f"{name}: {fell_out[name]}", flush=True)
    return ended, fell_out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fuzz extraction with mutated sample papers.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="recorded in every case's name")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--case", help="run this one again, in this very process")
    chosen = parser.parse_args()
    if chosen.case:
        from reprocensus.extract import extract

        print(broken_promises(extract(case(chosen.case))) or "all promises kept")
        return
    ended, fell_out = fuzz(chosen.seconds, chosen.seed, sorted(PAPERS.glob("*/*.pdf")), chosen.workers)
    print(
        f"seed {chosen.seed}: {ended.total()} cases", dict(ended.most_common()), f"{len(fell_out)} fell out"
    )
    sys.exit(bool(fell_out))


if __name__ == "__main__":
    main()
