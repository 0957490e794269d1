"""The table of codes, its page, and the procedure are the same thing as SPEC.md, 9."""

import re
from pathlib import Path

import pytest

from verifier.errors import SnapshotError, TrustError, UsageError, VerifierError
from verifier.inspection.checks import CheckName, known_code
from verifier.inspection.codes import CODES, FALLBACK, Severity, explain, to_markdown
from verifier.inspection.policy import DATA_CHECKS
from verifier.inspection.procedure import PROCEDURE
from verifier.reading.portrait_decoding import PortraitError

ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(
    r"^\| (9\.\d+) \| `([a-z.-]+)` \| .* \| ((?:`[a-z.-]+`(?:, )?)+) \|$", re.MULTILINE
)


def steps_of_specification() -> list[tuple[str, str, set[str]]]:
    text = (ROOT / "card_layout" / "SPEC.md").read_text("utf-8")
    return [
        (clause, name, set(re.findall(r"`([a-z.-]+)`", codes)))
        for clause, name, codes in ROW.findall(text)
    ]


def test_the_procedure_is_clause_9_of_the_specification_step_by_step() -> None:
    written = steps_of_specification()
    assert len(written) == 22
    assert [(step.clause, step.name.value, set(step.codes)) for step in PROCEDURE] == written


def test_every_check_has_exactly_one_step() -> None:
    assert [step.name for step in PROCEDURE] == list(CheckName)


def test_every_code_of_a_step_is_explained_under_its_clause() -> None:
    for step in PROCEDURE:
        for code in step.codes:
            assert CODES[code].clause == step.clause


def test_the_codes_that_say_nothing_about_a_card_are_those_of_the_specification() -> None:
    text = (ROOT / "card_layout" / "SPEC.md").read_text("utf-8")
    clause = text[text.index("9.19 `assurance`") : text.index("9.24 **Notes.**")]
    without_right = clause[clause.index("These say nothing about the card: ") :].partition("\n\n")[
        0
    ]
    about_terminals = set(re.findall(r"`([a-z-]+\.[a-z-]+)`", without_right))
    assert len(about_terminals) == 7
    written = set(re.findall(r"`((?:transport|access|reading)\.[a-z-]+)`", clause))
    unreadable = {code for code, entry in CODES.items() if entry.severity is Severity.UNREADABLE}
    # A reader that another program holds sent nothing to the card either.
    assert unreadable == written | about_terminals | {"transport.reader-busy"}


def test_the_notes_are_those_of_the_specification() -> None:
    text = (ROOT / "card_layout" / "SPEC.md").read_text("utf-8")
    clause = text[text.index("9.24 **Notes.**") :].partition("\n\n")[0]
    listed = set(re.findall(r"`([a-z-]+\.[a-z-]+)`", clause.partition("), and: ")[2]))
    assert listed == {code for code, entry in CODES.items() if entry.severity is Severity.NOTE}


def test_the_page_of_codes_is_the_table() -> None:
    page = (ROOT / "docs" / "codes.md").read_text("utf-8")
    assert page == to_markdown(), "write it anew: membercard-verifier explain --all > docs/codes.md"


def test_every_code_has_whole_sentences_for_cause_and_remedy() -> None:
    assert len(CODES) > 50
    for entry in CODES.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+", entry.code)
        for sentence in (entry.cause, entry.remedy):
            assert sentence[0].isupper()
            assert sentence.endswith(".")


@pytest.mark.parametrize(
    "error", [VerifierError, UsageError, TrustError, SnapshotError, PortraitError]
)
def test_every_error_of_the_verifier_has_a_code_of_the_table(error: type[VerifierError]) -> None:
    assert explain(error.default_code).severity is Severity.ERROR


def test_an_unknown_code_becomes_one_that_speaks_against_the_card() -> None:
    assert known_code("chip.not-proven") == "chip.not-proven"
    assert known_code("nobody.knows") == FALLBACK
    assert CODES[FALLBACK].severity is Severity.REFUSED


def test_the_data_checks_are_clauses_3_to_11() -> None:
    clauses = [f"9.{number}" for number in range(3, 12)]
    assert [step.name for step in PROCEDURE if step.clause in clauses] == list(DATA_CHECKS)
