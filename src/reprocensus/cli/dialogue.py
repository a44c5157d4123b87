"""The dialogue of a review: one verdict, its passages, one key."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

import typer
from rich.text import Text

from reprocensus.cli import show
from reprocensus.lexical import places
from reprocensus.records import NOT_APPLICABLE, UNKNOWN, Document
from reprocensus.review.labelling import Labelling, Row, document, verdict
from reprocensus.review.sampling import Drawn
from reprocensus.variables import Variable

_COMMANDS: Final = {
    "m": "more places",
    "v": "the engine's verdict",
    "#": "note",
    "s": "skip",
    "b": "back",
    "q": "quit",
}
_AROUND, _PLACES, _MORE, _OPENING = 250, 5, 20, 1500


def keys_of(variable: Variable) -> dict[str, str]:
    """Key -> label: the first letter of the label that is free, x for not_applicable, ? for unknown."""
    found: dict[str, str] = {}
    for number, label in enumerate(variable.labels, 1):
        free = [c for c in label.lower() if c.isalpha() and c not in (*found, *_COMMANDS, "x")]
        found[free[0] if free else str(number)] = label
    return {**found, "x": NOT_APPLICABLE, "?": UNKNOWN}


class Dialogue:
    """Asks for labels on standard output and takes keys from the terminal, or lines where it is none."""

    def __init__(
        self,
        labelling: Labelling,
        engine: str,
        variables: Mapping[str, Variable],
        asked: Sequence[Drawn],
        *,
        show_verdict: bool = False,
        blind: bool = False,
    ) -> None:
        self._labelling = labelling
        self._engine = engine
        self._variables = variables
        self._asked = asked
        self._show_verdict = show_verdict
        self._blind = blind
        self._out = show.console()

    def hold(self) -> None:
        """Asks until all is asked or the person quits; every answer is written before the next question."""
        at = 0
        while at < len(self._asked):
            step = self._ask(self._asked[at], at)
            if step is None:
                return
            at = max(0, at + step)

    def _ask(self, one: Drawn, at: int) -> int | None:
        """One question. How many questions to go on by; None to quit."""
        variable = self._variables[one.variable]
        edition, title = self._labelling.papers[one.paper_id]
        said = verdict(self._labelling.tables, edition, one.key, self._engine)
        text = document(self._labelling.tables, edition, one.paper_id)
        self._out.rule(f"{at + 1} of {len(self._asked)}", style="dim")
        self._out.print(Text(title, "bold"), f"{edition}, {one.paper_id}", sep="\n", highlight=False)
        self._out.print(Text(f"\n{variable.title}: {variable.question}", "bold"))
        for label, criterion in variable.criteria.items():
            self._out.print(Text(f"  {label}: {criterion}"))
        self._passages(said, text, variable)
        if self._show_verdict:
            self._reveal(said)
        return self._answered(one, variable, said, text)

    def _answered(
        self, one: Drawn, variable: Variable, said: Row | None, text: Document | None
    ) -> int | None:
        keys = keys_of(variable)
        held = self._labelling.given.get(one.key)
        note: str | None = held["comment"] if held else None
        choices = {**keys, **{key: name for key, name in _COMMANDS.items() if key != "v" or not self._blind}}
        prompt = "  ".join(f"[{key}] {name}" for key, name in choices.items())
        now = f" (now: {held['label']})" if held else ""
        while True:
            self._out.print(Text(f"\n{prompt}{now}", "cyan"))
            key = _key()
            if key in keys:
                self._labelling.give(one, keys[key], note)
                self._out.print(Text(keys[key], "green"))
                return 1
            if key in ("", "q"):
                return None
            if key in ("s", "b"):
                return 1 if key == "s" else -1
            if key == "v" and not self._blind:
                self._reveal(said)
            elif key == "m":
                self._places(text, variable, _MORE)
            elif key == "#":
                note = _line("note: ") or None

    def _passages(self, said: Row | None, text: Document | None, variable: Variable) -> None:
        """The verdict's quotes in context; where it has none, or none may be shown, what the cues touch."""
        quotes = said["quotes"] if said and not self._blind else []
        if text is None:
            self._out.print(Text("\nthe store has no text of this paper", "yellow"))
        elif not quotes:
            self._places(text, variable, _PLACES)
        else:
            for quote in quotes:
                start, end = quote["start"], quote["end"]
                self._out.print(f"\npage {quote['page']}", style="dim")
                before = text.text[max(0, start - _AROUND) : start]
                after = text.text[end : end + _AROUND]
                parts = (("…" + before, "dim"), (quote["text"], "bold"), (after + "…", "dim"))
                self._out.print(Text.assemble(*parts))

    def _places(self, text: Document | None, variable: Variable, limit: int) -> None:
        """The best places to look at: sentences that cues touch, else how the paper opens; then headings."""
        if text is None:
            return
        found = places(text.extracted, variable, limit)
        for sentence in found:
            self._out.print(f"\npage {sentence.page}", style="dim")
            self._out.print(Text(sentence.text))
        if not found:
            self._out.print(Text(f"\n{text.text[:_OPENING]}…"))
        titles = [section.title for section in text.extracted.sections if section.title]
        self._out.print(Text("\nheadings: " + " | ".join(titles), "dim"))

    def _reveal(self, said: Row | None) -> None:
        if said is None:
            self._out.print(Text(f"{self._engine} did not judge this", "yellow"))
            return
        sure = "" if said["confidence"] is None else f" ({said['confidence']:.2f})"
        review = ", needs review: a quote does not stand in the paper" if said["needs_review"] else ""
        self._out.print(
            Text(f"\n{self._engine}: {said['label']}{sure}{review}. {said['rationale']}", "yellow")
        )


def _key() -> str:
    """A key; the first character of a line where the input is no terminal; nothing at its end."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        return (line.strip()[:1] or " ").lower() if line else ""
    key = typer.getchar()
    if key in ("\x04", "\x1a"):
        return ""
    return key.lower()


def _line(prompt: str) -> str:
    print(prompt, end="", flush=True)
    return sys.stdin.readline().strip()
