"""The stored form of a snapshot: strict, versioned, without any password."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.image import CardImage
from simulators.testing import TEST_CAN
from verifier.errors import SnapshotError
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.snapshot import (
    AccessEvidence,
    AccessOutcome,
    AccessPath,
    CardSnapshot,
    ChipEvidence,
    ChipOutcome,
    FileEvidence,
    FileOutcome,
    Phase,
    ReadingProblem,
)

NAMES = st.sampled_from(["EF.CardAccess", "EF.COM", "EF.SOD", "EF.DG1", "EF.DG2", "EF.DG14"])


@st.composite
def file_evidence(draw: st.DrawFn, name: str) -> FileEvidence:
    outcome = draw(st.sampled_from(FileOutcome))
    content = draw(st.binary(max_size=64)) if outcome is FileOutcome.READ else None
    return FileEvidence(
        name=name,
        outcome=outcome,
        content=content,
        code=draw(st.none() | st.sampled_from(["card.refused", "tlv.malformed"])),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> CardSnapshot:
    names = draw(st.sets(NAMES))
    problem = draw(
        st.none()
        | st.builds(
            ReadingProblem,
            phase=st.sampled_from(Phase),
            code=st.sampled_from(["transport.lost", "reading.limit"]),
        )
    )
    return CardSnapshot(
        profile=draw(st.sampled_from(["membercard-1-icao", "other"])),
        read_at=draw(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1))).replace(tzinfo=UTC),  # noqa: DTZ001 - the strategy wants naive bounds
        atr=draw(st.none() | st.binary(max_size=33)),
        files={name: draw(file_evidence(name)) for name in sorted(names)},
        access=AccessEvidence(
            path=draw(st.sampled_from(AccessPath)),
            outcome=draw(st.sampled_from(AccessOutcome)),
            pace_info=draw(st.none() | st.binary(max_size=40)),
            is_password_of_data=draw(st.none() | st.booleans()),
        ),
        chip=ChipEvidence(
            outcome=draw(st.sampled_from(ChipOutcome)),
            public_key=draw(st.none() | st.binary(max_size=100)),
            key_id=draw(st.none() | st.integers(0, 0xFFFFFFFF)),
        ),
        portrait=draw(st.none() | st.sampled_from(PortraitOutcome)),
        fallbacks=tuple(
            draw(
                st.lists(
                    st.sampled_from(["chip-authentication.fallback", "reading.short-apdus"]),
                    unique=True,
                )
            )
        ),
        is_complete=problem is None and draw(st.booleans()),
        problem=problem,
        apdu_count=draw(st.integers(0, 2000)),
        phase_seconds=draw(
            st.dictionaries(st.sampled_from(Phase), st.floats(0, 100, allow_nan=False))
        ),
    )


@given(snapshot=snapshots())
def test_every_snapshot_comes_back_from_its_stored_form(snapshot: CardSnapshot) -> None:
    stored = snapshot.to_json()
    assert CardSnapshot.from_json(stored) == snapshot
    assert CardSnapshot.from_json(stored).to_json() == stored


@given(text=st.text(max_size=200))
def test_any_text_is_a_snapshot_or_an_error_of_its_own(text: str) -> None:
    with pytest.raises(SnapshotError):
        CardSnapshot.from_json(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200)
@given(data=st.data())
def test_any_value_in_any_place_is_taken_or_refused_with_its_error(
    accepted_snapshot: CardSnapshot, data: st.DataObject
) -> None:
    document = json.loads(accepted_snapshot.to_json())
    place = document
    key: Any = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(
            st.sampled_from(sorted(place))
            if isinstance(place, dict)
            else st.integers(0, len(place) - 1)
        )
    place[key] = data.draw(JSON_VALUES)
    code, snapshot = "snapshot.malformed", accepted_snapshot
    try:
        snapshot = CardSnapshot.from_json(json.dumps(document))
    except SnapshotError as error:
        code = error.code
    assert code == "snapshot.malformed"
    assert CardSnapshot.from_json(snapshot.to_json()) == snapshot


EDITS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another version": lambda document: document.update(format=2),
    "a version that only looks right": lambda document: document.update(format=True),
    "a key too many": lambda document: document.update(can="123456"),
    "a key too few": lambda document: document.pop("atr"),
    "a file twice": lambda document: document["files"].append(document["files"][0]),
    "content of a file that was not read": lambda document: document["files"][0].update(
        outcome="absent"
    ),
    "no content of a file that was read": lambda document: document["files"][0].update(
        content=None
    ),
    "base64 with loose bits": lambda document: document.update(atr="AB=="),
    "base64 with line ends": lambda document: document.update(atr="AA\n=="),
    "an unknown outcome": lambda document: document["chip"].update(outcome="sure"),
    "a time without zone": lambda document: document.update(read_at="2026-01-01T00:00:00"),
    "a time outside the calendar": lambda document: document.update(
        read_at="0001-01-01T00:00:00+14:00"
    ),
    "an end and a problem": lambda document: document.update(
        problem={"phase": "files", "code": "transport.lost"}
    ),
    "an end that is a number": lambda document: document.update(is_complete=1),
    "a negative count": lambda document: document.update(apdu_count=-1),
    "an endless duration": lambda document: document["phase_seconds"].update(files=1e300),
    "a phase that is none": lambda document: document["phase_seconds"].update(lunch=1),
    "a portrait that may be": lambda document: document.update(portrait="perhaps"),
    "no fallback told as one": lambda document: document.update(fallbacks=[]),
    "a fallback twice": lambda document: document.update(fallbacks=["access.failed"] * 2),
    "a fallback that is a number": lambda document: document.update(fallbacks=[1]),
    "fallbacks without end": lambda document: document.update(
        fallbacks=[f"reading.{chr(97 + number)}" for number in range(17)]
    ),
    "an ATR that is too long": lambda document: document.update(atr="AAAA" * 12),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_snapshot_that_breaks_its_format_is_refused(
    accepted_snapshot: CardSnapshot, edit: Callable[[dict[str, Any]], object]
) -> None:
    document = json.loads(accepted_snapshot.to_json())
    edit(document)
    with pytest.raises(SnapshotError):
        CardSnapshot.from_json(json.dumps(document))


@pytest.mark.parametrize(
    "text",
    ['{"format": 1, "format": 1}', "NaN", "[" * 100_000, " " * 4_000_001, '{"a": 1' + "0" * 5000],
    ids=["a key twice", "no number", "too deep", "too long", "a huge number"],
)
def test_json_tricks_are_refused(text: str) -> None:
    with pytest.raises(SnapshotError):
        CardSnapshot.from_json(text)


def test_a_snapshot_holds_no_password(
    accepted_snapshot: CardSnapshot, mrz_snapshot: CardSnapshot, issued_card: CardImage
) -> None:
    information = issued_card.secrets.mrz_information
    assert information is not None
    for text in (accepted_snapshot.to_json(), mrz_snapshot.to_json(), repr(mrz_snapshot)):
        assert TEST_CAN not in text
        assert information not in text


def test_the_time_of_reading_is_stored_in_utc(accepted_snapshot: CardSnapshot) -> None:
    document = json.loads(accepted_snapshot.to_json())
    hanoi = timezone(timedelta(hours=7))
    document["read_at"] = accepted_snapshot.read_at.astimezone(hanoi).isoformat()
    assert CardSnapshot.from_json(json.dumps(document)) == accepted_snapshot
