"""Trust points, EF.CVCA and the current date: what certificates change in the card for good (SPEC.md, 10)."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from card_layout import tlv
from card_layout.curves import NamedCurve
from simulators.card.operating_system import VirtualCard
from simulators.card.trust_points import CVCA_PATH, current_date
from simulators.errors import ImageError
from simulators.faults import Fault, FaultKind
from simulators.image import CardImage

CVCA, DOMESTIC, TERMINAL = 0xC0, 0x80, 0x00
Meet = Callable[..., Any]
Make = Callable[..., Any]


def references(image: CardImage) -> list[str]:
    """The references in EF.CVCA, and that the file has its form."""
    content = image.files[CVCA_PATH].data
    assert len(content) == 36
    found = []
    while content[:1] == b"\x42":
        found.append(content[2 : 2 + content[1]].decode())
        content = content[2 + content[1] :]
    assert not any(content)
    return found


def test_the_date_moves_with_the_last_certificate_of_a_domestic_chain_only(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    card = VirtualCard(guarded)
    terminal = meet(card)
    assert terminal.present_chain(hierarchy.domestic) == ["9000"]
    assert card.image.current_date == "20260115"
    assert terminal.present_chain(hierarchy.terminal) == ["9000"]
    assert card.image.current_date == "20260301"
    assert replace(card.image, current_date="20260115") == guarded


def test_terminals_of_foreign_verifiers_do_not_tell_the_date(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    card = VirtualCard(guarded)
    assert meet(card).present_chain(hierarchy.foreign, hierarchy.foreign_terminal) == ["9000"] * 2
    # Their verifier's certificate is the CVCA's own word.
    assert card.image.current_date == "20260201"


def test_a_terminal_certificate_that_fails_leaves_the_date_of_the_verifier_unused(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    bad = make_cv_holder(
        "VNGATE00009",
        TERMINAL,
        hierarchy.domestic,
        first="260301",
        spoil=lambda whole: whole[:-1] + bytes((whole[-1] ^ 1,)),
    )
    card = VirtualCard(guarded)
    assert meet(card).present_chain(hierarchy.domestic, bad) == ["9000", "6300"]
    assert card.image == guarded


def test_the_date_never_goes_back(guarded: CardImage, hierarchy: Any, meet: Meet) -> None:
    card = VirtualCard(replace(guarded, current_date="20260420"))
    assert meet(card).present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "9000"]
    assert card.image.current_date == "20260420"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("20260430", ["9000", "9000"]),
        ("20260501", ["9000", "6300"]),
        ("20270630", ["9000", "6300"]),
        ("20270701", ["6300"]),
    ],
)
def test_what_is_expired_on_the_current_date_is_refused(
    guarded: CardImage, hierarchy: Any, meet: Meet, date: str, expected: list[str]
) -> None:
    card = VirtualCard(replace(guarded, current_date=date))
    terminal = meet(card)
    found = terminal.present_chain(hierarchy.domestic)
    if found == ["9000"]:
        found += terminal.present_chain(hierarchy.terminal)
    assert found == expected
    assert card.image.current_date == date


def test_a_date_that_moved_makes_older_certificates_expire(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    late = make_cv_holder(
        "VNGATE00002", TERMINAL, hierarchy.domestic, first="260601", last="260731"
    )
    card = VirtualCard(guarded)
    assert meet(card).present_chain(hierarchy.domestic, late) == ["9000", "9000"]
    assert card.image.current_date == "20260601"
    assert meet(card).present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "6300"]


def test_no_terminal_pushes_the_date_beyond_the_end_of_its_verifier(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    far = make_cv_holder("VNGATE00002", TERMINAL, hierarchy.domestic, first="270701", last="281231")
    card = VirtualCard(guarded)
    assert meet(card).present_chain(hierarchy.domestic, far) == ["9000", "6300"]
    assert card.image == guarded


def test_a_card_that_never_had_a_date_begins_with_its_trust_points(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    bare = replace(guarded, current_date=None)
    assert current_date(bare) == "20260101"
    assert current_date(replace(bare, trust_points=())) == ""
    old = make_cv_holder("VNOFFICE00002", DOMESTIC, hierarchy.root, first="250101", last="251231")
    card = VirtualCard(bare)
    assert meet(card).present_chain(old) == ["6300"]
    assert meet(card).present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "9000"]
    assert card.image.current_date == "20260301"


# Links.


def test_a_link_becomes_the_newer_trust_point_and_ef_cvca_tells_it(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    card = VirtualCard(guarded)
    assert references(card.image) == ["VNROOT00001"]
    terminal = meet(card)
    assert terminal.present_chain(hierarchy.link) == ["9000"]
    assert card.image.trust_points == (hierarchy.link.certificate, hierarchy.root.certificate)
    assert references(card.image) == ["VNROOT00002", "VNROOT00001"]
    assert terminal.read(0x1C) == card.image.files[CVCA_PATH].data
    # A link alone is no chain: the date waits for one.
    assert card.image.current_date == "20260115"
    terminal = meet(card)
    assert terminal.select_key(hierarchy.link.reference) == "9000"
    assert terminal.select_key(hierarchy.root.reference) == "9000"


def test_chains_begin_under_each_of_the_trust_points(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    card = VirtualCard(guarded)
    verifier = make_cv_holder("VNOFFICE00003", DOMESTIC, hierarchy.link, first="260701")
    gate = make_cv_holder("VNGATE00003", TERMINAL, verifier, first="260801", last="260831")
    terminal = meet(card)
    assert terminal.present_chain(hierarchy.link, verifier, gate) == ["9000"] * 3
    assert terminal.prove_terminal(gate) == "9000"
    assert card.image.current_date == "20260801"
    assert meet(card).present_chain(hierarchy.domestic) == ["9000"]
    assert meet(card).present_chain(verifier, gate) == ["9000"] * 2


def test_the_older_of_two_trust_points_falls_out(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    third = make_cv_holder("VNROOT00003", CVCA, hierarchy.link, first="270601", last="301231")
    card = VirtualCard(guarded)
    assert meet(card).present_chain(hierarchy.link, third) == ["9000", "9000"]
    assert references(card.image) == ["VNROOT00003", "VNROOT00002"]
    assert meet(card).select_key(hierarchy.root.reference) == "6A88"


def test_a_link_that_is_known_changes_nothing_and_no_other_key_takes_its_name(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    card = VirtualCard(guarded)
    meet(card).present_chain(hierarchy.link)
    before = card.image
    assert meet(card).present_chain(hierarchy.link) == ["9000"]
    other = make_cv_holder("VNROOT00002", CVCA, hierarchy.root, first="260701")
    assert meet(card).present_chain(other) == ["6300"]
    itself = make_cv_holder("VNROOT00001", CVCA, hierarchy.root)
    assert meet(card).present_chain(itself) == ["6300"]
    assert card.image == before


def test_a_link_may_lead_to_another_curve_but_must_write_it_out(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    options = {"curve": NamedCurve.BRAINPOOLP384R1, "algorithm": 4}
    link = make_cv_holder("VNROOT00002", CVCA, hierarchy.root, **options)
    verifier = make_cv_holder("VNOFFICE00003", DOMESTIC, link, **options)
    gate = make_cv_holder("VNGATE00003", TERMINAL, verifier, **options)
    card = VirtualCard(guarded)
    terminal = meet(card)
    assert terminal.present_chain(link, verifier, gate) == ["9000"] * 3
    assert terminal.prove_terminal(gate) == "9000"
    short = make_cv_holder("VNROOT00003", CVCA, hierarchy.root, explicit=False)
    assert meet(card).present_chain(short) == ["6A80"]
    assert references(card.image) == ["VNROOT00002", "VNROOT00001"]


@pytest.mark.parametrize("tag", [0x81, 0x82, 0x83, 0x84, 0x85, 0x87])
def test_domain_parameters_count_only_as_a_whole(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet, tag: int
) -> None:
    """A generator of the forger's choice would make any key look certified (CVE-2020-0601)."""

    def spoil(body: dict[int, bytes]) -> None:
        parts = tlv.parse_all(body[0x7F49])
        body[0x7F49] = tlv.concatenate(
            tlv.Tlv(part.tag, part.value[:-1] + bytes((part.value[-1] ^ 1,)))
            if part.tag == tag
            else part
            for part in parts
        )

    link = make_cv_holder("VNROOT00002", CVCA, hierarchy.root, change=spoil)
    card = VirtualCard(guarded)
    assert meet(card).present_chain(link) == ["6A80"]
    assert card.image == guarded


def test_an_expired_cvca_certifies_no_verifier_but_still_its_next_key(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    card = VirtualCard(replace(guarded, current_date="20300101"))
    verifier = make_cv_holder("VNOFFICE00003", DOMESTIC, hierarchy.root, last="311231")
    assert meet(card).present_chain(verifier) == ["6300"]
    long_over = make_cv_holder("VNROOT00002", CVCA, hierarchy.root, first="270101", last="291231")
    third = make_cv_holder("VNROOT00003", CVCA, long_over, first="290101", last="331231")
    present = make_cv_holder("VNOFFICE00004", DOMESTIC, third, first="300101", last="301231")
    gate = make_cv_holder("VNGATE00004", TERMINAL, present, first="300201", last="300301")
    terminal = meet(card)
    assert terminal.present_chain(long_over, third, present, gate) == ["9000"] * 4
    assert terminal.prove_terminal(gate) == "9000"
    assert card.image.current_date == "20300201"
    assert references(card.image) == ["VNROOT00003", "VNROOT00002"]


# Memory: whatever happens, the card is what it was before the command or after it.


def test_memory_that_cannot_be_written_changes_nothing(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    def fail(_image: CardImage) -> None:
        raise ImageError("no room", code="image.unwritable")

    card = VirtualCard(guarded, store=fail)
    terminal = meet(card)
    assert terminal.present_chain(hierarchy.link) == ["6581"]
    assert terminal.select_key(hierarchy.link.reference) == "6A88"
    assert terminal.present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "6581"]
    assert terminal.prove_terminal(hierarchy.terminal) == "6A88"
    assert card.image == guarded


def test_the_image_is_stored_before_the_card_answers(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    stored: list[CardImage] = []
    card = VirtualCard(guarded, store=stored.append)
    terminal = meet(card)
    terminal.present_chain(hierarchy.link)
    assert stored == [card.image]
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    assert [image.current_date for image in stored] == ["20260115", "20260301"]
    assert terminal.prove_terminal(hierarchy.terminal) == "9000"
    assert len(stored) == 2


@pytest.mark.parametrize(
    "kind", [FaultKind.TEAR_BEFORE, FaultKind.TEAR_DURING, FaultKind.TEAR_AFTER]
)
def test_a_card_torn_at_any_command_holds_the_old_memory_or_the_new(
    guarded: CardImage, hierarchy: Any, meet: Meet, tmp_path: Path, kind: FaultKind
) -> None:
    """Behind each command the image on disk is one of the three that belong together, never a mixture."""
    card = VirtualCard(guarded)
    terminal = meet(card)
    terminal.present_chain(hierarchy.link)
    linked = card.image
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    finished = card.image
    commands = record(guarded, hierarchy, meet)
    seen = set()
    for number in range(1, commands + 1):
        path = tmp_path / f"{kind}-{number}.json"
        guarded.save(path)
        torn = _Torn(path, Fault(kind=kind, at=number))
        with contextlib.suppress(_PowerLostError):
            converse(meet(torn), hierarchy)
        left = CardImage.load(path)
        assert left in (guarded, linked, finished)
        seen.add(left.current_date)
        assert meet(VirtualCard(left)).present_chain(hierarchy.domestic, hierarchy.terminal) == [
            "9000",
            "9000",
        ]
    assert seen == {"20260115", "20260301"}


class _PowerLostError(Exception):
    """The card went away."""


class _Torn(VirtualCard):
    """A card in a file that loses its power around one command."""

    def __init__(self, path: Path, fault: Fault) -> None:
        super().__init__(CardImage.load(path), store=lambda image: image.save(path))
        self._tear = fault
        self.count = 0

    def process(self, command: bytes) -> bytes:
        self.count += 1
        is_now = self.count == self._tear.at
        if is_now and self._tear.kind is FaultKind.TEAR_BEFORE:
            raise _PowerLostError
        answer = super().process(command)
        if is_now and self._tear.kind is FaultKind.TEAR_DURING:
            raise _PowerLostError
        if self._tear.at is not None and self.count > self._tear.at:
            raise _PowerLostError
        return answer


def converse(terminal: Any, hierarchy: Any) -> None:
    terminal.present_chain(hierarchy.link)
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    terminal.prove_terminal(hierarchy.terminal)


def record(image: CardImage, hierarchy: Any, meet: Meet) -> int:
    """How many commands the conversation takes."""
    counted = _Counted(image)
    converse(meet(counted), hierarchy)
    return counted.count


class _Counted(VirtualCard):
    """Counts what comes in."""

    count = 0

    def process(self, command: bytes) -> bytes:
        self.count += 1
        return super().process(command)
