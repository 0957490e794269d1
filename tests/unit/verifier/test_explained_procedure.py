"""`inspect --explain`: every step of the procedure, in both languages, and nothing of a holder nobody vouches for."""

import io
import json
import time
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from card_layout.profile import CardProfile
from pki.certificates.trust import TrustAnchors
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.forge import ForgeKind, forge
from simulators.image import CardImage
from simulators.testing import TEST_CAN
from simulators.trust_directory import write_trust_directory
from verifier.cli import main
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.codes import CODES, Severity
from verifier.inspection.explained_material import Material
from verifier.inspection.explanation import Explanation, explain_inspection
from verifier.inspection.messages import (
    HEADINGS,
    JUDGED,
    STATES,
    WORDS,
    FactName,
    Heading,
    Language,
    code_texts,
    word,
)
from verifier.inspection.policy import Policy
from verifier.inspection.procedure import PROCEDURE
from verifier.inspection.report import Report, inspect
from verifier.inspection.snapshot import (
    AccessOutcome,
    AccessPath,
    CardSnapshot,
    ChipOutcome,
    FileOutcome,
)
from verifier.inspection.terminal_evidence import TerminalOutcome
from verifier.inspection.vietnamese import CODES_IN_VIETNAMESE
from verifier.presentation_explained import explained_view
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword
from verifier.services.inspect_card import Inspection


def explained(
    snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> tuple[Report, Explanation]:
    report = inspect(snapshot, trust=anchors, policy=policy, now=now)
    material = Material(snapshot=snapshot, policy=policy, trust=anchors, now=now)
    return report, explain_inspection(material, report)


def values(explanation: Explanation, name: CheckName) -> dict[FactName, str]:
    (step,) = [step for step in explanation.steps if step.check.name is name]
    return {fact.name: fact.value for fact in step.facts}


def test_every_sentence_has_both_languages() -> None:
    assert set(JUDGED) == set(CheckName)
    assert set(STATES) == set(CheckState)
    assert set(HEADINGS) == set(Heading)
    texts = [*JUDGED.values(), *STATES.values(), *HEADINGS.values(), *WORDS.values()]
    for text in (*texts, *(name.text for name in FactName)):
        assert text.vi
        assert text.en
    said = {code for code, entry in CODES.items() if entry.severity is not Severity.ERROR}
    assert set(CODES_IN_VIETNAMESE) == said, "write the code into verifier/inspection/vietnamese.py"
    for code in said:
        for sentence in code_texts(code, Language.VIETNAMESE):
            assert sentence[0].isupper()
            assert sentence.endswith(".")
        assert code_texts(code, Language.ENGLISH) == (CODES[code].cause, CODES[code].remedy)


def test_every_outcome_that_a_fact_can_tell_is_a_word_of_the_catalogue() -> None:
    outcomes: list[str] = [*AccessOutcome, *AccessPath, *ChipOutcome, *TerminalOutcome]
    for value in (*outcomes, *(f"file-{outcome}" for outcome in FileOutcome)):
        assert word(value, Language.VIETNAMESE) != value
    assert word("EF.DG1", Language.VIETNAMESE) == "EF.DG1"


@pytest.mark.parametrize(
    ("locale", "language"),
    [("vi_VN.UTF-8", "vi"), ("vi", "vi"), ("en_GB.UTF-8", "en"), ("C", "en"), (None, "en")],
)
def test_the_language_is_that_of_the_locale(locale: str | None, language: str) -> None:
    assert Language.of_locale(locale).value == language


def test_the_steps_are_those_of_the_procedure_with_what_each_compared(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    _, explanation = explained(accepted_snapshot, anchors, policy, now)
    assert [step.check.clause for step in explanation.steps] == [s.clause for s in PROCEDURE]
    # No status list is held here.
    assert explanation.count(CheckState.PASSED) == len(PROCEDURE) - 1
    assert explanation.apdu_count == accepted_snapshot.apdu_count
    assert all(step.facts for step in explanation.steps)
    facts = values(explanation, CheckName.DATA_GROUPS_INTEGRITY)
    assert facts[FactName.EQUAL].split(", ")[0] == "EF.DG1"
    assert FactName.DIFFERENT not in facts
    assert "P256" in values(explanation, CheckName.CHIP_AUTHENTICATION)[
        FactName.CURVE
    ].upper().replace("SECP256", "P256")


def test_the_way_in_says_what_was_offered_allowed_and_chosen_and_why(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    _, explanation = explained(accepted_snapshot, anchors, policy, now)
    access = {fact.name: fact.value for fact in explanation.access}
    assert access[FactName.OFFERED] == access[FactName.CHOSEN]
    assert "generic mapping" in access[FactName.CHOSEN]
    assert "secp256r1" in access[FactName.ALLOWED]
    assert access[FactName.BASIC_ACCESS_CONTROL] == "not-named-by-policy"
    assert access[FactName.REASON] == "only-offer"
    assert access[FactName.PASSWORD] == "pace-can"
    assert access[FactName.OUTCOME] == "succeeded"


@pytest.mark.parametrize("kind", list(ForgeKind), ids=lambda kind: kind.value)
def test_a_forged_card_is_explained_in_both_languages_without_its_holder(
    *,
    kind: ForgeKind,
    test_pki: TestAuthority,
    anchors: TrustAnchors,
    policy: Policy,
    profile: CardProfile,
    now: datetime,
) -> None:
    image = forge(kind, authority=test_pki, random=Random(3), can=TEST_CAN)
    snapshot = read_card(
        SimulatedReader(VirtualCard(image)),
        password=CardPassword.from_can(TEST_CAN),
        profile=profile,
        pace_parameter_ids=policy.pace_parameter_ids,
        now=now,
        monotonic=time.monotonic,
    )
    report, explanation = explained(snapshot, anchors, policy, now)
    code = kind.expected_code
    assert code in {step.check.code for step in explanation.steps}
    holder = report.unverified_holder
    names = [] if holder is None else [holder.full_name, holder.citizen_number]
    for language in Language:
        text = shown(
            Inspection(snapshot=snapshot, report=report, judge_seconds=0), explanation, language
        )
        stored = json.dumps(explanation.to_json(language), ensure_ascii=False)
        for where in (text, stored):
            assert code in where
            assert code_texts(code, language)[1] in where
            assert not any(name in where for name in names if name)


def shown(inspection: Inspection, explanation: Explanation, language: Language) -> str:
    stream = io.StringIO()
    Console(file=stream, width=400, highlight=False, markup=False, emoji=False).print(
        explained_view(inspection, explanation, language, show_unverified=False, is_terminal=False)
    )
    return stream.getvalue()


def test_a_card_that_was_not_read_is_explained_as_far_as_it_goes(
    anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    snapshot = CardSnapshot(profile="membercard-1", read_at=now, atr=None, files={})
    _, explanation = explained(snapshot, anchors, policy, now)
    assert explanation.count(CheckState.PASSED) == 0
    access = {fact.name: fact.value for fact in explanation.access}
    assert access[FactName.OFFERED] == "unknown"
    assert access[FactName.REASON] == "nothing-offered"
    assert FactName.CHOSEN not in access


def test_the_holders_values_are_facts_only_where_the_report_shows_them(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    report, explanation = explained(accepted_snapshot, anchors, policy, now)
    assert report.holder is not None
    assert (
        values(explanation, CheckName.HOLDER_CONSISTENCY)[FactName.NAME] == report.holder.full_name
    )
    empty = TrustAnchors.from_bytes(certificates=(), crls=())
    refused, hidden = explained(accepted_snapshot, empty, policy, now)
    assert FactName.NAME not in values(hidden, CheckName.HOLDER_CONSISTENCY)
    material = Material(snapshot=accepted_snapshot, policy=policy, trust=empty, now=now)
    asked = explain_inspection(material, refused, show_unverified=True)
    assert FactName.NAME in values(asked, CheckName.HOLDER_CONSISTENCY)


def test_the_command_explains_in_the_language_asked_for(
    *,
    tmp_path: Path,
    issued_card: CardImage,
    test_pki: TestAuthority,
    now: datetime,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issued_card.save(tmp_path / "card.json")
    write_trust_directory(tmp_path / "trust", [test_pki], now=now)
    words = (
        "inspect", "--reader", f"sim:{tmp_path}/card.json", "--trust", str(tmp_path / "trust"),
        "--at", now.isoformat(), "--explain",
    )  # fmt: skip
    monkeypatch.setenv("LANG", "vi_VN.UTF-8")
    assert main((*words, "--can", TEST_CAN)) == 0
    vietnamese = capsys.readouterr().out
    assert "Quy trình" in vietnamese
    assert "9.17 đạt (bắt buộc)  chip.authentication" in vietnamese
    assert main((*words, "--can", TEST_CAN, "--language", "en", "--format", "json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "accepted"
    assert document["explanation"]["language"] == "en"
    assert len(document["explanation"]["procedure"]) == len(PROCEDURE)
    (tmp_path / "cans.csv").write_text(f"label,can\nx,{TEST_CAN}\n")
    assert main((*words, "--batch", str(tmp_path / "cans.csv"))) == 64
