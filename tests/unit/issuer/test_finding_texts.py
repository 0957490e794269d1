"""What a committee reads: every code of a row has a Vietnamese sentence."""

import re
from pathlib import Path

from issuer.imports.finding_texts import ORGANISATIONS, VIETNAMESE, in_vietnamese

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "member-list.md").read_text(encoding="utf-8")
NOT_OF_ROWS = ("file.", "mapping.", "questionable.", "import.", "right.", "portraits.")


def test_every_code_of_a_row_has_a_vietnamese_sentence() -> None:
    members = PAGE[PAGE.index("## Members") : PAGE.index("## Portraits")]
    rows = [line for line in members.splitlines() if line.startswith("| `")]
    told = {code for row in rows for code in re.findall(r"`([a-z-]+\.[a-z-]+)`", row.split("|")[1])}
    wanted = {code for code in told if not code.startswith(NOT_OF_ROWS)}
    assert wanted == set(VIETNAMESE)


def test_every_code_of_a_list_of_organisations_has_a_vietnamese_sentence() -> None:
    part = PAGE[PAGE.index("## Organisations") : PAGE.index("## Other errors")]
    told = set(re.findall(r"`(organisation\.[a-z-]+)`", part))
    of_the_list = {"organisation.list-refused"}
    assert told - set(VIETNAMESE) - of_the_list == set(ORGANISATIONS)


def test_sentences_are_sentences() -> None:
    for code, sentence in (VIETNAMESE | ORGANISATIONS).items():
        assert sentence.endswith("."), code
        assert sentence[0].isupper(), code
    assert in_vietnamese("new.code") == "new.code"
