"""Makes the seeds of the corpora from what simulators and a test authority make: ``python -m tests.fuzz.seeds [TARGET ...]``."""

import hashlib
import io
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image

from card_layout.files.data_group_2 import Portrait
from card_layout.files.registry import FILE_TYPES
from card_layout.profile import load_profile
from simulators.card.operating_system import VirtualCard
from simulators.connection import SimulatedReader
from simulators.image import CardImage
from simulators.issued_image import TestAuthority, issue_image
from simulators.population.member import draw_member
from tests.fuzz.seeds_of_centre import seeds_of_centre
from tests.fuzz.seeds_of_files import seeds_of_files
from tests.fuzz.seeds_of_lists import seeds_of_lists
from tests.fuzz.seeds_of_registers import seeds_of_registers
from tests.fuzz.target import BASES
from tests.fuzz.targets import TARGETS
from tests.unit.verifier.terminal_hierarchy import Hierarchy
from verifier.inspection.snapshot import CardSnapshot
from verifier.reading.card_reading import read_card
from verifier.reading.recording import RecordedConversation
from verifier.reading.transcript_file import ReadingSettings, Transcript
from verifier.services.card_password import CardPassword

CORPUS: Final = Path(__file__).with_name("corpus")
_NOW: Final = datetime(2026, 11, 22, 8, tzinfo=UTC)
_PROFILE: Final = load_profile("membercard-1-icao")
_PARAMETERS: Final = frozenset({12, 13})


def _pictures() -> Iterator[bytes]:
    """Small ones, in the formats of portraits."""
    picture = Image.effect_noise((24, 32), 60).convert("RGB")
    for options in (
        {"format": "JPEG", "quality": 40},
        {"format": "JPEG", "quality": 40, "progressive": True},
        {"format": "JPEG2000", "quality_layers": [40]},
        {"format": "JPEG2000", "no_jp2": True, "quality_layers": [40]},
    ):
        output = io.BytesIO()
        picture.save(output, **options)
        yield output.getvalue()


def _read(image: CardImage) -> tuple[CardSnapshot, str]:
    """The card as a terminal reads it, without its portrait; and the transcript."""
    password = CardPassword.from_can("271828")
    record = RecordedConversation(time.monotonic)
    snapshot = read_card(
        SimulatedReader(VirtualCard(image)),
        password=password,
        profile=_PROFILE,
        pace_parameter_ids=_PARAMETERS,
        now=_NOW,
        monotonic=time.monotonic,
        conversation=record,
    )
    settings = ReadingSettings(
        profile=_PROFILE.name,
        read_at=_NOW,
        path=password.path,
        pace_parameter_ids=_PARAMETERS,
        allow_bac=False,
        has_credentials=False,
        needed=None,
    )
    transcript = Transcript.of(record, snapshot, settings=settings).to_text()
    files = {name: file for name, file in snapshot.files.items() if name != "EF.DG2"}
    return replace(snapshot, files=files), transcript


def _seeds_of_cards(image: CardImage) -> Iterator[tuple[str, bytes]]:
    for number, name in enumerate(FILE_TYPES):
        for file in _PROFILE.files:
            content = image.files[file.path].data if file.name == name else b""
            # A whole portrait is too long for a seed; small ones follow.
            if content and name != "EF.DG2":
                yield "card-file", bytes((number,)) + content
                yield "tlv", content
                if name == "EF.SOD":
                    yield "security-object", content[4:]
    place = list(FILE_TYPES).index("EF.DG2")
    for picture in _pictures():
        yield "image-header", picture
        yield "portrait", picture
        group = Portrait.of_picture(picture).to_bytes()
        yield "card-file", bytes((place,)) + group
    status = bytes.fromhex("99029000") + b"\x8e\x08" + bytes(8)
    yield "secure-messaging", status + b"\x90\x00"
    yield "secure-messaging", b"\x87\x11\x01" + bytes(16) + status + b"\x90\x00"
    yield "answer-to-reset", image.atr
    snapshot, transcript = _read(image)
    yield "snapshot", snapshot.to_json().encode()
    yield "snapshot-to-judge", snapshot.to_json().encode()
    yield "transcript", transcript.encode()
    yield "machine-readable-zone", (snapshot.content("EF.DG1") or b"")[5:]


def make_seeds() -> Iterator[tuple[str, bytes]]:
    """Target and bytes."""
    authority = TestAuthority.create(now=_NOW - timedelta(days=1))
    image = issue_image(
        draw_member(Random(7), serial_number=7),
        authority=authority,
        random=Random(7),
        can="271828",
        profile=_PROFILE,
    )
    yield "base:authority", authority.root.certificate
    yield "base:authority-crl", authority.revocation_list(now=_NOW)
    yield from _seeds_of_cards(image)
    hierarchy = Hierarchy(day=_NOW.date())
    yield from seeds_of_lists(authority, hierarchy, now=_NOW)
    yield from seeds_of_files(now=_NOW)
    yield from seeds_of_centre()
    yield from seeds_of_registers(now=_NOW)


_BASES_OF: Final = {
    "snapshot-to-judge": ("authority", "authority-crl"),
    "sealed-message": ("receiver",),
    "status-list-delta": ("status-list",),
    "trust-bundle-delta": ("trust-bundle",),
}


def main() -> None:
    """Write every seed under a name made of its digest; what fuzzing found beside them stays."""
    wanted = sys.argv[1:] or list(TARGETS)
    bases = {base for name in wanted for base in _BASES_OF.get(name, ())}
    for name in wanted:
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        for earlier in (CORPUS / name).glob("seed-*"):
            earlier.unlink()
    BASES.mkdir(exist_ok=True)
    for target, content in make_seeds():
        base = target.removeprefix("base:")
        if target.startswith("base:") and base in bases:
            (BASES / base).write_bytes(content)
        if target not in wanted:
            continue
        digest = hashlib.sha256(content).hexdigest()[:16]
        (CORPUS / target / f"seed-{digest}").write_bytes(content)


if __name__ == "__main__":
    main()
