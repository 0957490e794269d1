"""Values that a format's own reader takes and that break what is done with them next; fuzzing and reading found each."""

import json
from collections.abc import Callable

import pytest

from verifier.errors import VerifierError
from verifier.inspection.policy import Policy
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.transcript_file import ReadingSettings
from verifier.trust.approvals import Approval
from verifier.trust.installed import InstalledBundle


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(VerifierError) as caught:
        action()
    return caught.value.code


def test_a_number_too_long_to_be_converted_is_no_policy() -> None:
    text = f"format = {'1' * 4301}\n"
    assert code_of(lambda: Policy.from_bytes(text.encode())) == "policy.malformed"


def test_an_approver_whose_name_cannot_be_written_approves_nothing() -> None:
    document = {"format": 1, "name": "\ud800", "signature": "00"}
    content = json.dumps(document).encode()
    assert code_of(lambda: Approval.from_bytes(content)) == "bundle.approval-invalid"


def test_an_infinite_number_is_that_of_no_bundle() -> None:
    content = b'{"number": 1e999, "sha256": "", "this_update": "", "next_update": ""}'
    read = code_of(lambda: InstalledBundle.from_bytes(content, name="bundle.json"))
    assert read == "trust.malformed"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_transcript_of_a_time_that_utc_does_not_have_is_refused(moment: str) -> None:
    settings = {
        "kind": "transcript",
        "format": 1,
        "profile": "membercard-1",
        "read_at": "2026-01-01T00:00:00+00:00",
        "path": "pace-can",
        "pace_parameter_ids": [12],
        "allow_bac": False,
        "has_credentials": False,
        "needed": None,
    }
    ReadingSettings.from_document(dict(settings))
    settings["read_at"] = moment
    assert code_of(lambda: ReadingSettings.from_document(settings)) == "transcript.malformed"


def test_a_snapshot_with_half_a_character_is_refused_in_words_that_can_be_shown(
    accepted_snapshot: CardSnapshot,
) -> None:
    text = accepted_snapshot.to_json()
    CardSnapshot.from_json(text)
    for name in ("EF.SOD", "pace-can"):
        assert f'"{name}"' in text
        with pytest.raises(VerifierError) as caught:
            CardSnapshot.from_json(text.replace(f'"{name}"', f'"{name}\\ud800"'))
        assert caught.value.code == "snapshot.malformed"
        assert str(caught.value).encode()
