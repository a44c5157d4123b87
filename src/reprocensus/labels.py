"""Labels that people (or another census) gave papers, read from a file and matched with a store.

- JSON lines with `id`, `labels` (variable to label) and, if known, `responses` (variable to quote or reason);
- JSON lines with `title`, `human` and `llm_runs`, in the code of Gundersen's surveys: see `spellings`;
- CSV with a column `paper_id` or `title`, and one a variable, with labels or that code, or the columns
  `variable` and `label`.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reprocensus.errors import UsageError
from reprocensus.keys import folded_title
from reprocensus.records import COMMON_LABELS
from reprocensus.tables import Tables
from reprocensus.variables import Variable

#: Other names that files have for a variable.
VARIABLE_ALIASES = {"affiliation": "researcher_affiliation"}


@dataclass(frozen=True, slots=True)
class LabelledPaper:
    """One paper's labels, by variable. `runs`: what an engine's repeated runs said, if the file has them.

    `weights`: how much a label counts, by variable; 1 where it has none.
    """

    paper_id: str | None
    title: str | None
    labels: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[Mapping[str, str], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the file calls the paper."""
        return self.paper_id or self.title or ""


def read_labels(path: Path, variables: Sequence[Variable]) -> list[LabelledPaper]:
    """The labelled papers of a file, in its order.

    Raises:
        UsageError: the file cannot be read, or a line of it is not as described above.
    """
    known = {variable.name: variable for variable in variables}
    try:
        rows: Iterable[Mapping[str, Any]]
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                rows = [_of_csv(row, known) for row in csv.DictReader(file)]
            else:
                rows = [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"labels {path}: {reason}") from error
    papers = []
    for number, row in enumerate(rows, 1):
        try:
            papers.append(_paper(row, known))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UsageError(f"labels {path}, paper {number}: {error}") from error
    if not any(paper.labels for paper in papers):
        raise UsageError(f"labels {path}: the file has none of the variables {', '.join(known)}")
    return papers


def spellings(variable: Variable) -> dict[str, str]:
    """What files write for a label, case-folded -> the label: its name, or its code.

    Code 1 or true is Yes, and 0 or false No; of other variables a code counts their labels from 0. So of
    research type 1 is Theoretical; of affiliation 0, 1, 2 are Academia, Collaboration, Industry.
    """
    order = variable.labels
    names = {label.casefold(): label for label in (*variable.labels, *COMMON_LABELS)}
    if set(variable.labels) == {"Yes", "No"}:
        order = ("No", "Yes")
        names |= {"false": "No", "true": "Yes"}
    return names | {str(code): label for code, label in enumerate(order)}


def decoded(value: Any, variable: Variable) -> str:
    """A label from its name or its code (`spellings`).

    Raises:
        ValueError: it is neither.
    """
    word = str(value).strip()
    label = spellings(variable).get(word.casefold())
    if label is None:
        raise ValueError(f"{word!r} is no label of {variable.name}: {', '.join(variable.labels)}")
    return label


def _of_csv(row: Mapping[str, Any], known: Mapping[str, Variable]) -> dict[str, Any]:
    named = {VARIABLE_ALIASES.get(key, key): value for key, value in row.items() if key}
    labels = {name: value for name, value in named.items() if name in known and value not in (None, "")}
    if named.get("variable") and named.get("label"):
        labels[VARIABLE_ALIASES.get(named["variable"], named["variable"])] = named["label"]
    return {"id": named.get("paper_id"), "title": named.get("title"), "labels": labels}


def _paper(row: Mapping[str, Any], known: Mapping[str, Variable]) -> LabelledPaper:
    if not isinstance(row, Mapping):
        raise ValueError("the line is no JSON object with id or title, and labels")
    given = row.get("human", row.get("labels"))
    if not isinstance(given, Mapping):
        raise ValueError("it has no labels: an object with the variables' names, under labels or human")
    names = {key: row.get(key) for key in ("paper_id", "id", "title")}
    if stray := [key for key, name in names.items() if not isinstance(name, str | None)]:
        raise ValueError(f"its {stray[0]} is no text: {names[stray[0]]!r}")
    paper = LabelledPaper(
        paper_id=names["paper_id"] or names["id"] or None,
        title=names["title"] or None,
        labels=_decoded(given, known),
        reasons={k: str(v) for k, v in (row.get("responses") or {}).items() if k in known and v},
        runs=tuple(_decoded(run, known) for run in row.get("llm_runs") or ()),
    )
    if not paper.name:
        raise ValueError("it has neither paper_id nor title")
    return paper


def _decoded(given: Mapping[str, Any], known: Mapping[str, Variable]) -> dict[str, str]:
    named = {VARIABLE_ALIASES.get(name, name): value for name, value in given.items()}
    return {name: decoded(value, known[name]) for name, value in named.items() if name in known}


def matched(tables: Tables | None, papers: Sequence[LabelledPaper]) -> list[tuple[str, LabelledPaper]]:
    """Each labelled paper with its paper_id in the store: its own, or that of the only paper of its title.

    Papers that the store does not have keep the name that the file gives them.

    Raises:
        UsageError: two rows give one paper of the store different labels.
    """
    ids: set[str] = set()
    titles: dict[str, list[str]] = {}
    for edition in tables.editions("papers") if tables else ():
        assert tables is not None
        frame = tables.read("papers", edition, ("paper_id", "title")).frame
        for paper_id, title in frame.rows():
            ids.add(paper_id)
            titles.setdefault(folded_title(title), []).append(paper_id)
    found = []
    for paper in papers:
        named = titles.get(folded_title(paper.title), []) if paper.title else []
        known = paper.paper_id if paper.paper_id in ids else named[0] if len(named) == 1 else None
        found.append((known or paper.name, paper))
    _check_agreed([(name, paper) for name, paper in found if name in ids])
    return found


def _check_agreed(papers: Sequence[tuple[str, LabelledPaper]]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, paper in papers:
        for variable, label in paper.labels.items():
            if seen.setdefault((name, variable), label) != label:
                raise UsageError(
                    f"the labels of {name} contradict each other: {variable} is {seen[name, variable]} in "
                    f"one row and {label} in another; keep one of them"
                )
