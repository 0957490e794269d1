"""The terminal and the virtual card, written apart, speak every variant with each other (SPEC.md, 5.6 to 5.10)."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from random import Random

import pytest

from card_layout import tlv
from card_layout.curves import NamedCurve
from card_layout.files.card_access import CardAccess
from card_layout.iso7816.channel import CardChannel
from card_layout.profile import load_profile
from card_layout.protocols.file_reading import (
    learn_extended_lengths,
    read_card_access,
    read_file,
)
from card_layout.protocols.pace import (
    PacePassword,
    PasswordState,
    PasswordUnusableError,
    WrongPasswordError,
    perform_pace,
    unblock_pin,
)
from card_layout.transport.connection import CardConnection, CardReader
from card_layout.transport.readers import wait_for_card, wait_for_removal
from simulators.authority import TestAuthority
from simulators.card.operating_system import VirtualCard
from simulators.card.pace_offers import Mapping, PaceOffer
from simulators.connection import SimulatedReader
from simulators.image import CardImage, EcKey, ImageFile, ReadRule
from simulators.image_keys import HashAlgorithm, SessionAlgorithm
from simulators.issued_image import DEFAULT_PROFILE, draw_chip_key, issue_image
from simulators.population.member import SyntheticMember
from simulators.testing import TEST_CAN, TEST_TIME
from simulators.trust_directory import TEST_POLICY, write_trust_directory
from simulators.variants import ChipVariant, draw_rsa_key, draw_signing_key, in_variant
from verifier.inspection.report import Assurance, Report, Verdict, inspect
from verifier.inspection.snapshot import AccessPath
from verifier.reading.card_reading import read_card
from verifier.services.card_password import CardPassword
from verifier.trust.directory import Trust, load_trust

InReader = Callable[[Sequence[Path]], AbstractContextManager[CardReader]]

PROFILE = load_profile(DEFAULT_PROFILE)
AES = (SessionAlgorithm.AES_128, SessionAlgorithm.AES_192, SessionAlgorithm.AES_256)
CURVES = tuple(NamedCurve)
EVERY_DOMAIN = ", ".join(str(curve.pace_parameter_id) for curve in CURVES)
POLICY = TEST_POLICY.replace("[12, 13]", f"[{EVERY_DOMAIN}]")
OLD_POLICY = POLICY.replace("format = 1\n", "format = 1\nallow_bac = true\n")
"""For documents that have no PACE: it must be named, and the report says so."""


def chip_key(
    curve: NamedCurve = NamedCurve.SECP256R1,
    *algorithms: SessionAlgorithm,
    key_id: int = 1,
) -> EcKey:
    return replace(
        draw_chip_key(curve), algorithms=algorithms or (SessionAlgorithm.AES_128,), key_id=key_id
    )


def generic(curve: NamedCurve = NamedCurve.SECP256R1) -> PaceOffer:
    return PaceOffer(curve=curve)


@dataclass(frozen=True, kw_only=True)
class Office:
    """A terminal, and the issuer of the cards that it meets."""

    member: SyntheticMember
    authority: TestAuthority
    issued: CardImage
    trust: Trust
    old_trust: Trust

    def card(self, variant: ChipVariant) -> CardImage:
        return in_variant(self.issued, variant, profile=PROFILE, authority=self.authority)

    @property
    def can(self) -> CardPassword:
        return CardPassword.from_can(TEST_CAN)

    @property
    def zone(self) -> CardPassword:
        return CardPassword.from_mrz(self.issued.secrets.mrz_information or "")

    def inspect(
        self, reader: CardReader, *, password: CardPassword | None = None, old: bool = False
    ) -> Report:
        trust = self.old_trust if old else self.trust
        snapshot = read_card(
            reader,
            password=password or self.can,
            profile=PROFILE,
            pace_parameter_ids=trust.policy.pace_parameter_ids,
            now=TEST_TIME,
            monotonic=time.monotonic,
            max_seconds=60,
            allow_bac=trust.policy.allow_bac,
        )
        return inspect(snapshot, trust=trust.anchors, policy=trust.policy, now=TEST_TIME)


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory,
    test_pki: TestAuthority,
    synthetic_member: SyntheticMember,
) -> Office:
    directories = tmp_path_factory.mktemp("trust"), tmp_path_factory.mktemp("old-trust")
    for directory, policy in zip(directories, (POLICY, OLD_POLICY), strict=True):
        write_trust_directory(directory, [test_pki], now=TEST_TIME, policy=policy)
    trust, old_trust = map(load_trust, directories)
    return Office(
        member=synthetic_member,
        authority=test_pki,
        issued=issue_image(
            synthetic_member, authority=test_pki, profile=PROFILE, random=Random(3), can=TEST_CAN
        ),
        trust=trust,
        old_trust=old_trust,
    )


def in_process(image: CardImage) -> CardReader:
    return SimulatedReader(VirtualCard(image))


def must_be_accepted(report: Report, *notes: str) -> None:
    assert (report.codes, report.notes) == ((), notes)
    assert (report.verdict, report.assurance) == (Verdict.ACCEPTED, Assurance.DATA_AND_CHIP)


@pytest.mark.parametrize(
    ("mapping", "curve", "algorithm"),
    list(product(Mapping, CURVES, AES)),
    ids=lambda value: value.name.lower(),
)
def test_every_mapping_on_every_curve_with_every_cipher_opens_the_card(
    office: Office, mapping: Mapping, curve: NamedCurve, algorithm: SessionAlgorithm
) -> None:
    card = office.card(
        ChipVariant(
            offers=(PaceOffer(mapping=mapping, curve=curve, algorithm=algorithm),),
            chip_keys=(chip_key(curve),),
        )
    )
    report = office.inspect(in_process(card))
    must_be_accepted(report)
    assert report.access.path is AccessPath.PACE_CAN


@pytest.mark.parametrize("algorithm", AES, ids=lambda value: value.name.lower())
@pytest.mark.parametrize("curve", CURVES, ids=lambda value: value.name.lower())
def test_every_chip_key_is_proven_whatever_curve_opened_the_card(
    office: Office, curve: NamedCurve, algorithm: SessionAlgorithm
) -> None:
    variant = ChipVariant(offers=(generic(),), chip_keys=(chip_key(curve, algorithm),))
    must_be_accepted(office.inspect(in_process(office.card(variant)), password=office.zone))


def test_the_chip_takes_the_key_it_can_use_among_several(office: Office) -> None:
    keys = (
        chip_key(NamedCurve.BRAINPOOLP384R1, SessionAlgorithm.AES_256, key_id=1),
        chip_key(
            NamedCurve.SECP256R1, SessionAlgorithm.AES_128, SessionAlgorithm.AES_192, key_id=2
        ),
        chip_key(NamedCurve.SECP521R1, SessionAlgorithm.AES_128, key_id=77),
    )
    must_be_accepted(
        office.inspect(in_process(office.card(ChipVariant(offers=(generic(),), chip_keys=keys))))
    )


@pytest.mark.parametrize("curve", CURVES, ids=lambda value: value.name.lower())
@pytest.mark.parametrize(
    "hash_algorithm",
    [algorithm for algorithm in HashAlgorithm if algorithm is not HashAlgorithm.SHA_1],
)
def test_active_authentication_by_ecdsa(
    office: Office, curve: NamedCurve, hash_algorithm: HashAlgorithm
) -> None:
    key = draw_signing_key(curve, hash_algorithm)
    variant = ChipVariant(offers=(generic(),), chip_keys=(chip_key(),), signing_key=key)
    must_be_accepted(office.inspect(in_process(office.card(variant))))


@pytest.mark.parametrize("bits", [1024, 2048, 3072])
@pytest.mark.parametrize("hash_algorithm", list(HashAlgorithm))
def test_active_authentication_by_rsa_of_a_chip_that_has_nothing_else(
    office: Office, bits: int, hash_algorithm: HashAlgorithm
) -> None:
    variant = ChipVariant(offers=(generic(),), signing_key=draw_rsa_key(bits, hash_algorithm))
    report = office.inspect(in_process(office.card(variant)))
    must_be_accepted(report, "active-authentication.used-alone")


@pytest.mark.parametrize(
    "algorithms",
    [
        (SessionAlgorithm.TRIPLE_DES,),
        (SessionAlgorithm.AES_128,),
        (SessionAlgorithm.TRIPLE_DES, SessionAlgorithm.AES_256),
    ],
    ids="-or-".join,
)
def test_basic_access_control_is_spoken_where_it_is_named_and_never_silently(
    office: Office, algorithms: tuple[SessionAlgorithm, ...]
) -> None:
    card = office.card(
        ChipVariant(
            basic_access_control=True,
            chip_keys=(chip_key(NamedCurve.BRAINPOOLP256R1, *algorithms),),
            signing_key=draw_rsa_key(1024),
        )
    )
    must_be_accepted(
        office.inspect(in_process(card), password=office.zone, old=True), "access.bac-used"
    )
    assert office.inspect(in_process(card), password=office.zone).codes[0] == "access.pace-required"
    assert (
        office.inspect(in_process(card), password=office.can, old=True).verdict
        is not Verdict.ACCEPTED
    )


def test_a_card_that_opens_both_ways_is_opened_by_pace_and_no_other(office: Office) -> None:
    card = office.card(
        ChipVariant(offers=(generic(),), chip_keys=(chip_key(),), basic_access_control=True)
    )
    report = office.inspect(in_process(card), password=office.zone, old=True)
    must_be_accepted(report)
    assert report.access.path is AccessPath.PACE_MRZ


def converse_with_pin_and_puk(connection: CardConnection) -> None:
    """Count, suspend, resume, block and unblock the PIN of a card that was just put in."""

    def channel() -> CardChannel:
        """A new conversation: a reset ends the one before."""
        connection.reset()
        return CardChannel(connection)

    def speak(channel: CardChannel, password: PacePassword) -> None:
        content = read_card_access(channel)
        assert content is not None
        (info,) = CardAccess.from_bytes(content).security_infos.pace_infos
        perform_pace(channel, pace_info=info, password=password)

    wrong, right = PacePassword.pin("000000"), PacePassword.pin("135790")
    for left in (2, 1):
        with pytest.raises(WrongPasswordError) as refused:
            speak(channel(), wrong)
        assert refused.value.tries_left == left
    # The last try is kept for whoever holds the card: it comes only after the CAN.
    with pytest.raises(PasswordUnusableError) as unusable:
        speak(channel(), right)
    assert unusable.value.state is PasswordState.SUSPENDED
    resumed = channel()
    speak(resumed, PacePassword.can(TEST_CAN))
    speak(resumed, right)
    speak(channel(), right)

    for _ in range(2):
        with pytest.raises(WrongPasswordError):
            speak(channel(), wrong)
    last = channel()
    speak(last, PacePassword.can(TEST_CAN))
    with pytest.raises(WrongPasswordError):
        speak(last, wrong)
    with pytest.raises(PasswordUnusableError) as blocked:
        speak(channel(), right)
    assert blocked.value.state is PasswordState.BLOCKED
    unblocking = channel()
    speak(unblocking, PacePassword.puk("0123456789"))
    unblock_pin(unblocking)
    speak(channel(), right)


def card_with_pin(office: Office, mapping: Mapping) -> CardImage:
    return office.card(
        ChipVariant(
            offers=(PaceOffer(mapping=mapping, curve=NamedCurve.SECP256R1),),
            chip_keys=(chip_key(),),
            pin="135790",
            puk="0123456789",
        )
    )


@pytest.mark.parametrize("mapping", list(Mapping), ids=lambda value: value.name.lower())
def test_pin_and_puk_are_counted_suspended_resumed_and_unblocked(
    office: Office, mapping: Mapping
) -> None:
    converse_with_pin_and_puk(in_process(card_with_pin(office, mapping)).connect())


LONG_FILE = 0x1D
"""The short identifier of a file in the master file that goes on beyond offset 32,767."""


def card_with_long_file(office: Office) -> CardImage:
    content = tlv.encode(0x53, bytes(number % 251 for number in range(40_000)))
    file = ImageFile(
        data=content, read=ReadRule.PASSWORD, short_identifier=LONG_FILE, capacity=len(content)
    )
    return office.issued.with_file("3F00/011D", file)


def read_long_file(connection: CardConnection, *, extended: bool) -> None:
    """Read it under PACE, to its last byte."""
    connection.reset()
    channel = CardChannel(connection)
    content = read_card_access(channel)
    assert content is not None
    (info,) = CardAccess.from_bytes(content).security_infos.pace_infos
    if extended:
        assert learn_extended_lengths(channel) is not None
    perform_pace(channel, pace_info=info, password=PacePassword.can(TEST_CAN))
    found = read_file(channel, short_identifier=LONG_FILE)
    assert found is not None
    assert tlv.parse(found, expected_tag=0x53).value == bytes(n % 251 for n in range(40_000))


@pytest.mark.parametrize("extended", [True, False], ids=["extended", "short"])
def test_a_file_beyond_the_last_offset_is_read_under_pace(
    office: Office, *, extended: bool
) -> None:
    read_long_file(in_process(card_with_long_file(office)).connect(), extended=extended)


def saved(images: Sequence[CardImage], directory: Path) -> list[Path]:
    paths = [directory / f"{number}.json" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        image.save(path)
    return paths


@pytest.mark.pcsc
def test_pin_puk_and_long_files_through_the_real_pcsc_stack(
    office: Office, tmp_path: Path, in_virtual_reader: InReader
) -> None:
    images = [
        card_with_pin(office, Mapping.GENERIC),
        card_with_pin(office, Mapping.CHIP_AUTHENTICATION),
        card_with_long_file(office),
        card_with_long_file(office),
    ]
    with in_virtual_reader(saved(images, tmp_path)) as reader:
        for number, _ in enumerate(images):
            assert wait_for_card(reader, timeout_seconds=20)
            connection = reader.connect()
            if number < 2:
                converse_with_pin_and_puk(connection)
            else:
                read_long_file(connection, extended=number == 2)
            connection.close()
            assert wait_for_removal(reader, timeout_seconds=20)


@pytest.mark.pcsc
def test_every_variant_through_the_real_pcsc_stack(
    office: Office, tmp_path: Path, in_virtual_reader: InReader
) -> None:
    # Each mapping, curve, cipher, key and way in at least once; all pairs of them meet in process above.
    variants = [
        *(
            ChipVariant(
                offers=(PaceOffer(mapping=mapping, curve=curve, algorithm=algorithm),),
                chip_keys=(chip_key(curve, algorithm),),
                signing_key=signing_key,
            )
            for mapping, curve, algorithm, signing_key in (
                (Mapping.GENERIC, NamedCurve.SECP256R1, AES[0], None),
                (Mapping.GENERIC, NamedCurve.SECP384R1, AES[1], draw_rsa_key(2048)),
                (Mapping.GENERIC, NamedCurve.BRAINPOOLP512R1, AES[2], None),
                (Mapping.INTEGRATED, NamedCurve.BRAINPOOLP256R1, AES[0], None),
                (Mapping.INTEGRATED, NamedCurve.SECP521R1, AES[2], None),
                (Mapping.CHIP_AUTHENTICATION, NamedCurve.BRAINPOOLP384R1, AES[1], None),
                (
                    Mapping.CHIP_AUTHENTICATION,
                    NamedCurve.SECP256R1,
                    AES[2],
                    draw_signing_key(NamedCurve.BRAINPOOLP384R1),
                ),
            )
        ),
        ChipVariant(
            basic_access_control=True,
            chip_keys=(chip_key(NamedCurve.SECP256R1, SessionAlgorithm.TRIPLE_DES),),
            signing_key=draw_rsa_key(1024),
        ),
    ]
    images = [office.card(variant) for variant in variants]
    with in_virtual_reader(saved(images, tmp_path)) as reader:
        for variant in variants:
            assert wait_for_card(reader, timeout_seconds=20)
            is_old = variant.basic_access_control
            report = office.inspect(reader, password=office.zone, old=is_old)
            must_be_accepted(report, *(("access.bac-used",) if is_old else ()))
            assert wait_for_removal(reader, timeout_seconds=20)
