"""The portrait is decoded in another process, within bounds."""

import io
import signal
import subprocess
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from card_layout.files.data_group_2 import Portrait
from pki.certificates.trust import TrustAnchors
from simulators.connection import SimulatedReader
from verifier.bootstrap import SystemClock
from verifier.errors import VerifierError
from verifier.inspection.checks import CheckName, CheckState
from verifier.inspection.policy import Policy, Purpose
from verifier.inspection.portrait_evidence import PortraitOutcome
from verifier.inspection.report import Verdict, inspect
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.portrait_decoding import (
    PortraitDecoder,
    PortraitError,
    _start,
    decode_portrait,
)
from verifier.services.card_password import CardPassword
from verifier.services.inspect_card import InspectionRules, inspect_card


def encoded(size: tuple[int, int], image_format: str, **options: object) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, (10, 20, 30)).save(output, format=image_format, **options)
    return output.getvalue()


def test_the_portrait_of_a_card_becomes_a_png_of_its_size(accepted_snapshot: CardSnapshot) -> None:
    portrait = Portrait.from_bytes(accepted_snapshot.content("EF.DG2") or b"")
    with Image.open(io.BytesIO(decode_portrait(portrait.image))) as picture:
        assert picture.format == "PNG"
        assert picture.size == (portrait.width, portrait.height)


def test_jpeg_2000_is_decoded_too() -> None:
    with Image.open(io.BytesIO(decode_portrait(encoded((30, 40), "JPEG2000")))) as picture:
        assert picture.size == (30, 40)


def test_nothing_but_pixels_is_carried_over() -> None:
    png = decode_portrait(encoded((30, 40), "JPEG", comment=b"remember me", dpi=(300, 300)))
    assert b"remember me" not in png
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.info == {}


@pytest.mark.parametrize(
    "image",
    [
        b"",
        b"\xff\xd8\xff\xe0 rubbish",
        encoded((30, 40), "PNG"),
        encoded((30, 40), "JPEG")[:-300],
        encoded((2001, 2000), "JPEG", quality=1),
        bytes(70_000),
    ],
    ids=["empty", "rubbish", "another format", "cut short", "too many pixels", "too long"],
)
def test_what_is_no_portrait_is_an_error_with_its_code(image: bytes) -> None:
    with pytest.raises(VerifierError) as caught:
        decode_portrait(image)
    assert caught.value.code == "portrait.unreadable"


def with_thousands_of_scans() -> bytes:
    """64 kB of a progressive JPEG in which the last scan stands again and again: decoding takes several seconds."""
    output = io.BytesIO()
    picture = Image.new("L", (2000, 2000), 77)
    picture.save(output, format="JPEG", progressive=True, quality=10)
    image, end = output.getvalue()[:-2], output.getvalue()[-2:]
    last_scan = image[image.rindex(b"\xff\xda") :]
    return image + last_scan * ((65_000 - len(image)) // len(last_scan)) + end


def test_a_small_picture_that_takes_long_to_decode_ends_its_process() -> None:
    process = _start()
    process.communicate(with_thousands_of_scans())
    assert process.returncode == -signal.SIGPROF


def test_a_decoder_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(PortraitError, match="takes longer"):
        decode_portrait(encoded((30, 40), "JPEG"), max_seconds=0.001)


def test_a_picture_is_decoded_or_not_and_a_decoder_that_is_not_there_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = encoded((30, 40), "JPEG")
    decoder = PortraitDecoder()
    assert decoder.try_portrait(right) is PortraitOutcome.DECODED
    assert decoder.try_portrait(right[:-300]) is PortraitOutcome.UNDECODABLE
    assert decoder.try_portrait(bytes(70_000)) is PortraitOutcome.UNDECODABLE
    hasty = PortraitDecoder(max_seconds=0.001)
    assert hasty.try_portrait(right) is PortraitOutcome.UNDECODABLE
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    decoder.prepare()
    assert decoder.try_portrait(right) is PortraitOutcome.NOT_DECODED


def test_a_process_is_started_before_its_picture_and_used_for_no_other() -> None:
    right = encoded((30, 40), "JPEG")
    with closing(PortraitDecoder()) as decoder:
        decoder.prepare()
        first = waiting(decoder)
        decoder.prepare()
        assert waiting(decoder) is first
        assert decoder.try_portrait(right[:-300]) is PortraitOutcome.UNDECODABLE
        assert first.returncode not in (None, 0)
        decoder.prepare()
        second = waiting(decoder)
        assert second is not first
        assert decoder.try_portrait(right) is PortraitOutcome.DECODED
        assert second.returncode == 0
        decoder.prepare()
        unused = waiting(decoder)
    assert unused.returncode is not None
    decoder.close()


def waiting(decoder: PortraitDecoder) -> subprocess.Popen[bytes]:
    assert decoder._waiting is not None
    return decoder._waiting


@pytest.mark.parametrize(
    ("outcome", "state", "code", "notes"),
    [
        (PortraitOutcome.DECODED, CheckState.PASSED, None, ()),
        (
            PortraitOutcome.UNDECODABLE,
            CheckState.FAILED,
            "data-group.portrait-undecodable",
            ("data-group.portrait-undecodable",),
        ),
        (PortraitOutcome.NOT_DECODED, CheckState.NOT_PERFORMED, "portrait.not-decoded", ()),
        (None, CheckState.NOT_PERFORMED, "portrait.not-decoded", ()),
    ],
)
def test_what_came_of_the_picture_has_a_code_in_the_report_and_refuses_only_by_policy(
    accepted_snapshot: CardSnapshot,
    anchors: TrustAnchors,
    policy: Policy,
    *,
    now: datetime,
    outcome: PortraitOutcome | None,
    state: CheckState,
    code: str | None,
    notes: tuple[str, ...],
) -> None:
    snapshot = replace(accepted_snapshot, portrait=outcome)
    report = inspect(snapshot, trust=anchors, policy=policy, now=now)
    assert (report.verdict, report.notes) == (Verdict.ACCEPTED, notes)
    found = next(check for check in report.checks if check.name is CheckName.PORTRAIT)
    assert (found.state, found.code) == (state, code)
    by_face = Purpose(
        name="by face", required_checks=policy.required_checks() | {CheckName.PORTRAIT}
    )
    strict = replace(policy, purposes={"by face": by_face}, default_purpose="by face")
    judged = inspect(snapshot, trust=anchors, policy=strict, now=now)
    assert (judged.verdict is Verdict.ACCEPTED) == (code is None)
    assert judged.codes == (() if code is None else (code,))


def test_a_picture_on_the_card_is_tried_once_and_before_it_is_judged(
    accepted_snapshot: CardSnapshot, anchors: TrustAnchors, policy: Policy, now: datetime
) -> None:
    tried: list[bytes] = []

    def trial(image: bytes) -> PortraitOutcome:
        tried.append(image)
        return PortraitOutcome.UNDECODABLE

    rules = InspectionRules(anchors=anchors, policy=policy, at=now)
    inspection = inspect_card(
        SimulatedReader(Path("nowhere")),
        CardPassword.from_can("123456"),
        read=lambda _reader, _password: replace(accepted_snapshot, portrait=None),
        try_portrait=trial,
        rules=rules,
        clock=SystemClock(),
    )
    assert tried == [Portrait.from_bytes(accepted_snapshot.content("EF.DG2") or b"").image]
    assert inspection.snapshot.portrait is PortraitOutcome.UNDECODABLE
    assert inspection.report.notes == ("data-group.portrait-undecodable",)
