"""Cross-validates the rules: how far their figures rest on the very papers that they are measured on.

    python tests/rules_cross.py ../shared/corpus           agreement over folds
    python tests/rules_cross.py ../shared/corpus --terms   names that no other paper has left out, too
    python tests/rules_cross.py ../shared/corpus --list    what one labelled paper alone supports

Each paper is judged by rules cut back to what the papers of the other folds support: an alternative of a
pattern or of an exception that makes no difference on them is left out (`pattern_support`), and of the
thresholds that suit them best the one nearest to the file's is taken. What is not undone: that somebody who
had read some of the papers chose what is matched at all, how it is generalised, and the weights.
`--terms` is too strict: data sets and institutions were listed from general knowledge.
"""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pattern_support import Branch, support, without
from reprocensus.audit.measures import comparable, kappa
from reprocensus.keys import digest
from reprocensus.lexical import judge_paper, scores
from reprocensus.reading import Reading
from reprocensus.records import Document, SectionKind
from reprocensus.schemas import load_variables
from reprocensus.variables import Cue, Variable
from rules_measure import documents

FOLDS = 10
Labelled = Sequence[tuple[Document, Mapping[str, str]]]
#: Of each cue's pattern, exception and terms: the papers that support an alternative.
Supports = list[tuple[dict[Branch, frozenset[str]], dict[Branch, frozenset[str]], dict[str, frozenset[str]]]]


def fold_of(paper_id: str) -> int:
    """Which fold a paper is in."""
    return int(digest(paper_id + "cross"), 16) % FOLDS


def supports(variable: Variable, readings: Mapping[str, Reading]) -> Supports:
    """For each cue what supports its alternatives."""
    return [_supports(cue, readings) for cue in variable.needed_rules.cues]


def _supports(
    cue: Cue, readings: Mapping[str, Reading]
) -> tuple[dict[Branch, frozenset[str]], dict[Branch, frozenset[str]], dict[str, frozenset[str]]]:
    if cue.domains:
        return {}, {}, {}
    flags = 0 if cue.case_sensitive else re.IGNORECASE
    matching = {
        paper: [s for s in _looked_at(cue, reading) if cue.regex.search(s)]
        for paper, reading in readings.items()
    }
    kept = {paper: found for paper, found in matching.items() if found}
    terms = {
        term: frozenset(p for p, found in kept.items() if any(single.search(s) for s in found))
        for term in cue.terms
        for single in [Cue.model_validate({**cue.model_dump(), "terms": (term,), "pattern": None}).regex]
    }
    pattern = support(cue.pattern, kept, lambda p: re.compile(p, flags)) if cue.pattern and not terms else {}
    excepted = support(cue.unless, kept, lambda p: re.compile(p, flags)) if cue.unless else {}
    return pattern, excepted, terms


def _looked_at(cue: Cue, reading: Reading) -> Iterable[str]:
    if cue.words:
        numbers = reading.holding(cue.words)
    elif cue.terms:
        numbers = reading.naming(cue.term_words)
    else:
        return (sentence.text for sentence in reading.sentences)
    return (reading.sentences[number].text for number in numbers)


def cut_back(variable: Variable, found: Supports, papers: frozenset[str], *, terms: bool) -> Variable:
    """The variable without what none of the papers supports."""
    cues = []
    for cue, (pattern, unless, named) in zip(variable.needed_rules.cues, found, strict=True):
        update: dict[str, object] = {}
        if pattern:
            update["pattern"] = without(cue.pattern or "", _unsupported(pattern, papers))
        if unless:
            update["unless"] = without(cue.unless or "", _unsupported(unless, papers))
        if terms and named:
            held = tuple(term for term, who in named.items() if who & papers)
            update |= {"terms": held} if held else {"terms": (), "pattern": "(?!)"}
        cues.append(Cue.model_validate({**cue.model_dump(), **update}))
    rules = variable.needed_rules.model_copy(update={"cues": tuple(cues)})
    return variable.model_copy(update={"rules": rules})


def _unsupported(found: Mapping[Branch, frozenset[str]], papers: frozenset[str]) -> list[Branch]:
    return [branch for branch, who in found.items() if not who & papers]


def with_threshold(variable: Variable, papers: Labelled, readings: Mapping[str, Reading]) -> Variable:
    """The variable with the threshold that suits the papers best; of equals the nearest to its own."""
    rules = variable.needed_rules
    if rules.mode == "sides" or len(variable.labels) != 2:
        return variable
    finding = next(label for label in variable.labels if label != rules.default)
    points = [
        (scores(readings[d.paper_id], variable).get(finding, 0.0), labels[variable.name] == finding)
        for d, labels in papers
    ]
    candidates = {round(s + 1e-6, 6) for s, _ in points} | {rules.threshold}
    best = max(
        candidates,
        key=lambda t: (sum((s >= t) == truth for s, truth in points), -abs(t - rules.threshold)),
    )
    return variable.model_copy(update={"rules": rules.model_copy(update={"threshold": best})})


def cross_validated(papers: Labelled, variables: Sequence[Variable], *, terms: bool) -> None:
    """Prints the agreement of rules that the other folds support."""
    kinds = frozenset[SectionKind]().union(*(v.needed_rules.all_sections for v in variables))
    readings = {d.paper_id: Reading(d.extracted, kinds) for d, _ in papers}
    found = {v.name: supports(v, readings) for v in variables}
    said: dict[str, list[list[tuple[str, str]]]] = {v.name: [[], [], []] for v in variables}
    for fold in range(FOLDS):
        inside = [p for p in papers if fold_of(p[0].paper_id) != fold]
        outside = [p for p in papers if fold_of(p[0].paper_id) == fold]
        ids = frozenset(d.paper_id for d, _ in inside)
        cut = [cut_back(v, found[v.name], ids, terms=terms) for v in variables]
        refitted = [with_threshold(v, inside, readings) for v in cut]
        for n, rules in enumerate((variables, cut, refitted)):
            for document, labels in outside:
                answers = judge_paper(document, rules)
                for v in variables:
                    label = comparable(answers[v.name].label, v.labels)
                    said[v.name][n].append((labels[v.name], label))
    heads = ("as they are", "cut back", "cut back, refitted")
    print(f"{'agreement, kappa':<24} " + "  ".join(f"{head:<18}" for head in heads))
    rows = []
    for v in variables:
        shares = [(sum(a == b for a, b in pairs) / len(pairs), kappa(pairs) or 0.0) for pairs in said[v.name]]
        rows.append(shares)
        print(f"{v.name:<24} " + "  ".join(f"{a:.3f}  {k:<11.3f}" for a, k in shares))
    means = [[sum(row[n][i] for row in rows) / len(rows) for i in (0, 1)] for n in range(3)]
    print(f"{'mean':<24} " + "  ".join(f"{a:.3f}  {k:<11.3f}" for a, k in means))


def lonely(papers: Labelled, variables: Sequence[Variable]) -> None:
    """Prints each alternative that one paper alone supports."""
    kinds = frozenset[SectionKind]().union(*(v.needed_rules.all_sections for v in variables))
    readings = {d.paper_id: Reading(d.extracted, kinds) for d, _ in papers}
    for v in variables:
        for cue, (pattern, unless, _) in zip(v.needed_rules.cues, supports(v, readings), strict=True):
            for name, text, held in (("pattern", cue.pattern, pattern), ("unless", cue.unless, unless)):
                for branch, who in held.items():
                    if text and len(who) < 2:
                        print(f"{v.name}\t{cue.note}\t{name}\t{len(who)}\t{text[branch.start : branch.end]}")


def _main(corpus: Path, *, terms: bool, listed: bool) -> None:
    papers, variables = documents(corpus), load_variables()
    if listed:
        lonely(papers, variables)
    else:
        cross_validated(papers, variables, terms=terms)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path, help="folder with manifest.jsonl, labels.jsonl and the papers")
    parser.add_argument("--terms", action="store_true", help="leave out names, too")
    parser.add_argument("--list", action="store_true", help="print what one paper alone supports")
    given = parser.parse_args()
    _main(given.corpus, terms=given.terms, listed=given.list)
