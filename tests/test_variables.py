"""The nine variable files, and what a wrong one is told."""

import re
from pathlib import Path

import pytest

from reprocensus.errors import SchemaError
from reprocensus.records import COMMON_LABELS
from reprocensus.variables import Cue, Variable, parse_variable

FILES = Path(__file__).parents[1] / "schemas" / "variables"
NAMES = [
    "research_type",
    "researcher_affiliation",
    "pseudocode",
    "open_source_code",
    "open_datasets",
    "dataset_splits",
    "hardware_specification",
    "software_dependencies",
    "experiment_setup",
]
SCORED = set(NAMES) - {"research_type", "researcher_affiliation"}
LISTS = FILES.parent / "affiliations.toml"


def source(name: str) -> str:
    return (FILES / f"{name}.toml").read_text("utf-8")


def load(name: str) -> Variable:
    return parse_variable(source(name).encode(), f"{name}.toml", LISTS.read_bytes())


def test_the_folder_holds_the_nine_in_order() -> None:
    files = sorted(FILES.glob("*.toml"), key=lambda file: load(file.stem).order)
    assert [file.stem for file in files][: len(NAMES)] == NAMES
    assert [load(name).order for name in NAMES] == list(range(1, 10))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_complete(name: str) -> None:
    variable = load(name)
    assert variable.name == name
    assert set(variable.criteria) == set(variable.labels) | set(COMMON_LABELS)
    assert variable.question.endswith("?")
    assert variable.in_documentation_score == (name in SCORED)
    assert variable.about_experiments == (name in SCORED - {"pseudocode"})
    assert (variable.needed_rules.gate is not None) == variable.about_experiments


def test_the_labels_are_the_census_ones() -> None:
    assert load("research_type").labels == ("Experimental", "Theoretical")
    assert load("researcher_affiliation").labels == ("Academia", "Collaboration", "Industry")
    assert all(load(name).labels == ("Yes", "No") for name in SCORED)


@pytest.mark.parametrize("name", NAMES)
def test_every_cue_compiles_and_is_reachable(name: str) -> None:
    for cue in load(name).needed_rules.cues:
        assert cue.regex.flags & re.IGNORECASE == (0 if cue.case_sensitive else re.IGNORECASE)
        assert not cue.unless or cue.unless_regex
        assert all(cue.term_words) and len(set(cue.terms)) == len(cue.terms)


def test_a_changed_file_is_another_variable() -> None:
    changed = source("pseudocode") + "\n# changed\n"
    assert parse_variable(changed.encode(), "x").sha != load("pseudocode").sha


def broken(old: str, new: str) -> bytes:
    text = source("pseudocode")
    assert old in text
    return text.replace(old, new, 1).encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (broken("threshold", "treshold"), "treshold"),
        (broken('name = "pseudocode"', 'name = "pseudocode"\ncolour = "red"'), "colour"),
        (broken('positive = "Yes"', 'positive = "Maybe"'), "Maybe"),
        (broken('default = "No"', 'default = "Never"'), "Never"),
        (broken("pattern = '", "pattern = '("), "does not compile"),
        (broken('words = ["algorithm"', 'words = ["Algorithm"'), "words"),
        (broken("\nNo = ", "\nNope = "), "no criterion"),
        (broken("about_experiments = false", "about_experiments = true"), "needs [rules.gate]"),
        (b"name = ", "Invalid value"),
        (b"\xff\xfe", "utf-8"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(data: bytes, told: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(told)) as caught:
        parse_variable(data, "schemas/variables/mine.toml")
    assert "schemas/variables/mine.toml" in str(caught.value)


@pytest.mark.parametrize("cue", [{}, {"pattern": "a %terms%"}, {"pattern": "a", "terms": ["b"]}])
def test_a_cue_shows_something(cue: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="terms"):
        Cue.model_validate({"label": "Yes", "weight": 1.0, **cue})


def test_terms_match_as_whole_words_in_any_spelling() -> None:
    cue = Cue(label="Yes", weight=1.0, terms=("CIFAR-10", "CIFAR", "USPS", "Yahoo!"), case_sensitive=True)
    assert all(cue.regex.search(text) for text in ("CIFAR10", "CIFAR 10", "USPS3", "(USPS)", "Yahoo! Labs"))
    assert not any(cue.regex.search(text) for text in ("cifar", "CUSPS", "USPSX"))
    found = cue.regex.search("CIFAR-10")
    assert found and found.group() == "CIFAR-10"


def test_no_file_names_a_place_on_this_machine() -> None:
    assert not any(str(Path.home()) in source(name) for name in NAMES)


def test_a_list_is_put_in_and_its_digest_counts() -> None:
    data, lists = source("researcher_affiliation").encode(), LISTS.read_bytes()
    variable = parse_variable(data, "x", lists)
    assert any("DeepMind" in cue.terms for cue in variable.needed_rules.cues)
    assert parse_variable(data, "x", lists + b"\n# changed\n").sha != variable.sha
    plain = source("pseudocode").encode()
    assert parse_variable(plain, "x", lists).sha == parse_variable(plain, "x").sha


def test_a_list_that_is_not_there_is_named() -> None:
    data = source("researcher_affiliation").encode()
    with pytest.raises(SchemaError, match="no file of lists"):
        parse_variable(data, "x")
    with pytest.raises(SchemaError, match="no list 'research'; known: firms"):
        parse_variable(data, "x", b"firms = []")


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("a@cs.washington.edu", "research"),
        ("a@inf.ed.ac.uk", "research"),
        ("a@some.new.ac.jp", "research"),
        ("A@DEI.UC.PT", "research"),
        ("a@informatik.uni-ulm.de", "research"),
        ("{a,b}@etri.re.kr", "research"),
        ("a@data61.csiro.au", "research"),
        ("a@start-up.io", "company"),
        ("a@jp.somebody.co.jp", "company"),
        ("a@de.bosch.com", "company"),
        ("a@yahoo-inc.com", "company"),
        ("a@allenai.org", "research"),
        ("a@gmail.com", "mailbox"),
        ("a@yahoo.co.uk", "mailbox"),
        ("a@somebody.de", None),
        ("a@somebody.notasuffix", None),
    ],
)
def test_an_address_tells_the_kind_of_institution(address: str, kind: str | None) -> None:
    cue = next(c for c in load("researcher_affiliation").needed_rules.cues if c.domains)
    assert cue.domains
    told = [name for name in cue.domains.kinds if list(cue.domains.places(f"X ({address})", name))]
    assert told == ([kind] if kind else [])
