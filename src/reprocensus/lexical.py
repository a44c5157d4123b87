"""Judges a paper's variables by the lexical cues of their files. Pure, deterministic, no model.

All that is known about a variable stands in its file; here are only the three ways of weighing cues
(see `variables.Rules`) and how a weighing becomes an answer with quotes.

Sentences that speak to whoever judges the paper (`instructions`) count for nothing.

`not_applicable`: a variable whose file has a gate comes out so where the gate's variable (the research
type) came out with the gate's label (theoretical), no cue spoke for any of the variable's own findings, and
the paper has neither a section nor a sentence that the gate names (an evaluation, a simulation). So a paper
is never excused where anything in it might have answered the question; and a gate whose variable is not
among those judged stays open.
"""

import math
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from reprocensus.reading import Reading, Sentence
from reprocensus.records import NOT_APPLICABLE, UNKNOWN, Answer, Claim, Document, Extracted, SectionKind
from reprocensus.variables import Cue, Gate, Rules, Variable

MAX_CLAIMS = 3
MAX_CLAIM = 400
#: A sentence with fewer characters, such as a cell of a table, is quoted only where there is nothing better.
_SCRAP = 20


@dataclass(slots=True)
class _Side:
    """What speaks for one label: its score, and each sentence's weight and where its first cue stands."""

    score: float = 0.0
    weights: dict[int, float] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    #: As `places`, of cues that are quoted only where there is nothing better (headings).
    spare: dict[int, int] = field(default_factory=dict)
    #: Whether anything spoke for it at all, whatever spoke against it.
    any_for: bool = False


def judge_paper(document: Document, variables: Sequence[Variable]) -> dict[str, Answer]:
    """An answer to each variable, by name. Every claim stands in the text at its start."""
    kinds = frozenset[SectionKind]().union(*(variable.needed_rules.all_sections for variable in variables))
    reading = Reading(document.extracted, kinds)
    mute = reading.addressed([variable.name for variable in variables])
    weighed = {variable.name: _weigh(variable.needed_rules, reading, mute) for variable in variables}
    answers = {v.name: _answer(v.needed_rules, weighed[v.name], reading) for v in variables}
    for variable in variables:
        gate = variable.needed_rules.gate
        if gate and _closed(gate, answers, weighed[variable.name], variable.needed_rules, reading, mute):
            answers[variable.name] = Answer(
                NOT_APPLICABLE, rationale=gate.rationale, confidence=answers[gate.variable].confidence
            )
    return answers


def scores(reading: Reading, variable: Variable) -> dict[str, float]:
    """What speaks for each label, as it is compared with the threshold."""
    weighed = _weigh(variable.needed_rules, reading, reading.addressed([variable.name]))
    return {label: side.score for label, side in weighed.items()}


def _weigh(rules: Rules, reading: Reading, mute: Container[int]) -> dict[str, _Side]:
    sides: dict[str, _Side] = {}
    for cue in rules.cues:
        side = sides.setdefault(cue.label, _Side())
        limit = None if rules.mode == "sentence" else cue.cap or rules.cap
        shown = sorted(_shows(cue, rules, reading, mute), key=lambda item: -abs(item[2]))
        for number, place, weight in shown[:limit]:
            side.weights[number] = side.weights.get(number, 0.0) + weight
            if weight > 0:
                side.any_for = True
                places = side.places if cue.quotable else side.spare
                places.setdefault(number, place)
    for side in sides.values():
        totals = side.weights.values()
        side.score = max(totals, default=0.0) if rules.mode == "sentence" else math.fsum(totals)
    return sides


def _shows(
    cue: Cue, rules: Rules, reading: Reading, mute: Container[int]
) -> Iterable[tuple[int, int, float]]:
    """The sentences that show the cue, in order: which, where in them, and what they weigh."""
    weights = _section_weights(cue, rules, reading)
    for number in _candidates(cue, reading):
        sentence = reading.sentences[number]
        weight = weights.get(sentence.section)
        if weight is None or number in mute or (rules.pages and sentence.page > rules.pages):
            continue
        place = cue.place(sentence.text)
        if place is not None and (rules.title_counts or sentence.start + place >= reading.title_end):
            yield number, place, weight


def _section_weights(cue: Cue, rules: Rules, reading: Reading) -> dict[int, float]:
    """What the cue weighs in each section that it counts in."""
    kinds = rules.sections if cue.sections is None else cue.sections
    title = re.compile(cue.titles, re.IGNORECASE) if cue.titles else None
    weights: dict[int, float] = {}
    for number, section in enumerate(reading.sections):
        if section.kind in kinds:
            weight = cue.weight if title is None or title.search(section.title) else cue.elsewhere
            if weight is not None:
                weights[number] = weight
    return weights


def _candidates(cue: Cue, reading: Reading) -> Iterable[int]:
    if cue.words:
        return sorted(reading.holding(cue.words))
    if cue.terms:
        return sorted(reading.naming(cue.term_words))
    return range(len(reading.sentences))


def _answer(rules: Rules, sides: dict[str, _Side], reading: Reading) -> Answer:
    findings = {label: side for label, side in sides.items() if label != rules.default}
    present = [label for label, side in findings.items() if side.score >= rules.threshold]
    if rules.mode == "sides" and rules.both and len(present) > 1:
        label = rules.both
    else:
        label = max(present, key=lambda name: findings[name].score, default=rules.default)
    margin = min((abs(side.score - rules.threshold) for side in findings.values()), default=rules.threshold)
    if label == rules.default:
        claims = _claims([sides[label]] if label in sides else [], reading)
        rationale = rules.none_found
    else:
        claims = _claims([findings[name] for name in present if label in (name, rules.both)], reading)
        rationale = rules.found if claims else rules.none_found
    sure = 0.0 if label == UNKNOWN else confidence(margin, rules)
    return Answer(label, claims, rationale, sure)


def confidence(margin: float, rules: Rules) -> float:
    """The probability that the label is right, by the distance of its score from the threshold.

    Distance d counts as x = 1 - 2^(-d/scale). Calibrated: 1 / (1 + exp(-(intercept + slope x))) (Platt 1999);
    else (1 + x) / 2. Both rise with the distance and begin at half or above.
    """
    x = 1.0 - math.exp2(-margin / rules.scale)
    if rules.calibration is None:
        return round((1.0 + x) / 2, 4)
    logit = rules.calibration.intercept + rules.calibration.slope * x
    return round(1.0 / (1.0 + math.exp(-logit)), 4)


def _claims(sides: Sequence[_Side], reading: Reading) -> tuple[Claim, ...]:
    """The weightiest quotable sentences of each side in turn, then in the paper's order."""
    chosen: dict[int, int] = {}
    ranked = [_ranked(side, reading) for side in sides]
    for rank in range(MAX_CLAIMS):
        for places in ranked:
            if rank < len(places) and len(chosen) < MAX_CLAIMS:
                number, place = places[rank]
                chosen.setdefault(number, place)
    return tuple(_claim(reading.sentences[number], place) for number, place in sorted(chosen.items()))


def _ranked(side: _Side, reading: Reading) -> list[tuple[int, int]]:
    """The sentences that speak for the side, where in them: the weightiest first, scraps last."""
    places = side.places or side.spare
    weighty = [item for item in places.items() if side.weights[item[0]] > 0]
    return sorted(
        weighty,
        key=lambda item: (
            len(reading.sentences[item[0]].text) < _SCRAP,
            -side.weights[item[0]],
            item[0],
        ),
    )


def _claim(sentence: Sentence, place: int) -> Claim:
    """The sentence, or of a long one the stretch around the cue, cut at blanks."""
    text = sentence.text
    if len(text) <= MAX_CLAIM:
        return Claim(text, sentence.start)
    begin = max(0, min(place - MAX_CLAIM // 3, len(text) - MAX_CLAIM))
    if begin:
        begin = text.find(" ", begin, place) + 1 or begin
    end = min(begin + MAX_CLAIM, len(text))
    if end < len(text):
        blank = text.rfind(" ", place, end)
        end = blank if blank > place else end
    piece = text[begin:end]
    inner = piece.strip()
    return Claim(inner, sentence.start + begin + piece.index(inner[0]))


def _closed(
    gate: Gate,
    answers: dict[str, Answer],
    sides: dict[str, _Side],
    rules: Rules,
    reading: Reading,
    mute: Container[int],
) -> bool:
    """Whether the variable does not apply to this paper."""
    decider = answers.get(gate.variable)
    if decider is None or decider.label != gate.label:
        return False
    if any(side.any_for for label, side in sides.items() if label != rules.default):
        return False
    if gate.unless_title and any(
        re.search(gate.unless_title, section.title, re.IGNORECASE) for section in reading.sections
    ):
        return False
    return not gate.unless_text or not any(
        re.search(gate.unless_text, reading.sentences[number].text, re.IGNORECASE)
        for number in reading.holding(gate.unless_words)
        if number not in mute and reading.sections[reading.sentences[number].section].kind in rules.sections
    )


def places(extracted: Extracted, variable: Variable, limit: int) -> list[Sentence]:
    """The sentences that weigh most by the variable's cues, for it or against, in the paper's order."""
    rules = variable.needed_rules
    reading = Reading(extracted, frozenset(rules.all_sections))
    weights: dict[int, float] = {}
    for cue in rules.cues:
        for number, _, weight in _shows(cue, rules, reading, ()):
            weights[number] = max(weights.get(number, 0.0), abs(weight))
    best = sorted(weights, key=lambda number: (-weights[number], number))[:limit]
    return [reading.sentences[number] for number in sorted(best)]
