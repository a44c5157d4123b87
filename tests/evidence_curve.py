"""How well quotes with slips are told from false ones, by the likeness that is asked for.

    python tests/evidence_curve.py FOLDER_OF_PDFS

prints the curve in docs/judging.md. A true quote is a sentence of the paper with slips: a word left out, a
function word added, a letter lost. A false one is a sentence of the paper with a number, a word or a negation
changed, or a sentence of another paper.
"""

import random
import re
import sys
from pathlib import Path

_ADDED = ("the", "a", "of", "and", "our", "in")
_WORD = re.compile(r"[a-z]{6,}")


def sentences_of(text: str, n: int) -> list[str]:
    """Sentences in plain words, drawn evenly from a paper's text."""
    from reprocensus.sentences import sentence_spans

    found = [text[a:b] for a, b in sentence_spans(text) if 60 <= b - a <= 400]
    plain = [s for s in found if sum(map(str.isalpha, s)) > 0.7 * len(s) and len(s.split()) > 9]
    return plain[:: max(1, len(plain) // n)][:n]


def corrupted(sentence: str, seed: int, slips: int = 2) -> str:
    """The sentence with some slips that change nothing of what it says."""
    chance = random.Random(seed)
    words = sentence.split()
    for _ in range(slips):
        at = chance.randrange(len(words))
        plain = [n for n, word in enumerate(words) if _WORD.fullmatch(word)]
        kind = chance.choice(("drop", "add", "letter", "letter"))
        if kind == "add":
            words.insert(at, chance.choice(_ADDED))
        elif kind == "drop" and plain and len(words) > 8:
            del words[chance.choice(plain)]
        elif plain:
            at = chance.choice(plain)
            place = chance.randrange(3, len(words[at]))
            words[at] = words[at][:place] + words[at][place + 1 :]
    return " ".join(words)


def falsified(sentence: str, seed: int) -> str:
    """The sentence with a number, a negation or a word changed, so that it says something else."""
    chance = random.Random(seed)
    numbers = list(re.finditer(r"\d+", sentence))
    kind = chance.choice(("number", "not", "word"))
    if kind == "number" and numbers:
        number = chance.choice(numbers)
        return sentence[: number.start()] + str(int(number[0]) + 1) + sentence[number.end() :]
    words = sentence.split()
    if kind == "word":
        at = chance.randrange(len(words))
        return " ".join([*words[:at], "Turtlesque", *words[at + 1 :]])
    at = chance.randrange(1, len(words))
    return " ".join([*words[:at], "not", *words[at:]])


def _main(folder: Path) -> None:
    from reprocensus import approximate
    from reprocensus.evidence import Evidence
    from reprocensus.extract import extract
    from reprocensus.records import Claim
    from reprocensus.rows import new_document

    documents = [new_document(p.stem, "", extract(p.read_bytes())) for p in sorted(folder.rglob("*.pdf"))]
    approximate.THRESHOLD = 0.0
    scores: dict[str, list[float]] = {
        "1 slip": [],
        "2 slips": [],
        "4 slips": [],
        "falsified": [],
        "another's": [],
    }
    for here, document in enumerate(documents):
        evidence = Evidence(document)
        mine = sentences_of(document.text, 20)
        asked = {
            "1 slip": [corrupted(s, n, 1) for n, s in enumerate(mine)],
            "2 slips": [corrupted(s, n, 2) for n, s in enumerate(mine)],
            "4 slips": [corrupted(s, n, 4) for n, s in enumerate(mine)],
            "falsified": [falsified(s, n) for n, s in enumerate(mine)],
            "another's": [s for s in sentences_of(documents[here - 1].text, 20) if s not in document.text],
        }
        for kind, quotes in asked.items():
            for quote in quotes:
                located = evidence.locate(Claim(quote))
                scores[kind].append(min((q.score or 1.0 for q in located), default=-1.0))
    print(f"{len(documents)} papers; share of quotes located, by the least likeness asked for")
    print("likeness  " + "".join(f"{kind:>12}" for kind in scores))
    for least in (0.0, 0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98):
        shares = [sum(score >= least for score in found) / len(found) for found in scores.values()]
        print(f"{least:>8.2f}  " + "".join(f"{share:>12.4f}" for share in shares))
    print("n         " + "".join(f"{len(found):>12}" for found in scores.values()))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
