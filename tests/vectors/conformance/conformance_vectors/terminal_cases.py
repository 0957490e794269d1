"""Terminal authentication and EF.CVCA: chips that keep files for terminals with a right, and terminals without.

The policy of these vectors demands that the terminal was let in, so that its verdict tells; that of our own cards
only notes it (SPEC.md, 9.21). Which chain a terminal shows hangs on what the chip names, so a chain that is unknown
or has ended refuses the card for such a purpose.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from unittest.mock import patch

from conformance_vectors.bench import POLICY, CardDraft, Case, accepted, refused
from conformance_vectors.data_group_drafts import FINGER_HEADER, IRIS_HEADER, finger, iris, two
from conformance_vectors.security_infos_drafts import (
    chip_info,
    chip_key,
    data_group_14,
    issued_key,
    pace_info,
    public_key,
)
from lint_vectors.drafts import integer, octets, oid, seq

from card_layout import tlv
from card_layout.curves import NamedCurve
from card_layout.profile import load_profile
from pki.card_verifiable.certificate import CvCertificate
from pki.card_verifiable.credentials import TerminalCredentials
from simulators.card.operating_system import VirtualCard
from simulators.card.reading_side import ReadingSide
from simulators.image import CardImage, ReadRule
from tests.unit.verifier.terminal_hierarchy import DAY, Hierarchy
from verifier.inspection.checks import CheckName
from verifier.inspection.policy import Purpose
from verifier.reading.terminal_proof import TerminalAccess

PROFILE = load_profile("membercard-1")
REQUIRED = POLICY.required_checks()
LET_IN = replace(
    POLICY,
    purposes={
        "inspection": Purpose(
            name="inspection",
            required_checks=REQUIRED
            | {CheckName.TERMINAL_AUTHENTICATION, CheckName.PROTECTED_DATA_GROUPS},
        )
    },
)
APPLICATION = "A0000002471001"
PROTECTED = tuple(f"{APPLICATION}/01{number:02X}" for number in (3, 4, 13))
DG3, DG4 = 1, 2
CODE = "terminal-authentication"
FINGERS, IRISES = "EF.DG3", "EF.DG4"


@cache
def hierarchy(curve: NamedCurve = NamedCurve.SECP256R1, mnemonic: str = "MEMBER") -> Hierarchy:
    return Hierarchy(curve=curve, mnemonic=mnemonic)


def references(*names: bytes, tag: int = 0x42) -> bytes:
    """EF.CVCA with these references."""
    return b"".join(tlv.encode(tag, name) for name in names).ljust(36, b"\x00")


def terminal_info(file: bytes = b"") -> bytes:
    return seq(oid("0.4.0.127.0.7.2.2.2"), integer(1), file)


def protected(
    *trust_points: CvCertificate,
    credentials: TerminalCredentials | None = None,
    trust_file: bytes | None = None,
    info: bytes | None = None,
    files: dict[str, bytes] | None = None,
) -> CardDraft:
    """A card that trusts these keys and keeps DG3, DG4 and DG13, before a terminal with these credentials."""
    points = trust_points or (hierarchy().root(),)
    named = references(*(point.body.holder_reference.to_bytes() for point in points))

    def keeping(image: CardImage) -> CardImage:
        kept = {
            path: replace(file, read=ReadRule.TERMINAL) if path in PROTECTED else file
            for path, file in image.files.items()
        }
        return replace(
            image,
            files=kept,
            trust_points=tuple(point.to_bytes() for point in points),
            current_date=f"{DAY - timedelta(days=5):%Y%m%d}",
        )

    infos = (pace_info(), chip_info(), chip_key(public_key(issued_key())))
    return CardDraft(
        files={
            "EF.DG14": data_group_14(*infos, terminal_info() if info is None else info),
            "EF.CVCA": named if trust_file is None else trust_file,
            **(files or {}),
        },
        image=keeping,
        profile=PROFILE,
        policy=LET_IN,
        terminal=TerminalAccess(
            credentials=hierarchy().credentials() if credentials is None else credentials
        ),
    )


def of_curve(curve: NamedCurve) -> Callable[[], CardDraft]:
    return lambda: protected(hierarchy(curve).root(), credentials=hierarchy(curve).credentials())


def entitled(bits: int) -> TerminalCredentials:
    """Credentials with these bits of the template, and DG13."""
    own = hierarchy()
    return own.credentials(own.root(bits=bits), own.office(bits=bits), own.terminal(bits=bits))


def denied(*names: str) -> Callable[[], CardDraft]:
    """A card with these files, a terminal without a right to them, and the policy of our own cards."""
    return lambda: protected(files=biometric(*names)).having(policy=POLICY)


def biometric(*names: str) -> dict[str, bytes]:
    every = {
        FINGERS: two(0x63, FINGER_HEADER, finger()),
        IRISES: two(0x76, IRIS_HEADER, iris()),
    }
    return {name: every[name] for name in names}


def spoilt(certificate: CvCertificate) -> CvCertificate:
    """The certificate under a signature of the right length that is none."""
    signature = certificate.signature
    return replace(certificate, signature=signature[:-1] + bytes((signature[-1] ^ 1,)))


def wrong_office() -> CardDraft:
    right = hierarchy().credentials()
    above = {
        reference: tuple(
            item
            if item.certificate.body.is_self_signed
            else replace(item, certificate=spoilt(item.certificate))
            for item in items
        )
        for reference, items in right._above.items()
    }
    return protected(credentials=replace(right, _above=above))


def wrong_terminal() -> CardDraft:
    right = hierarchy().credentials()
    return protected(credentials=replace(right, certificate=spoilt(right.certificate)))


def ended(*, office: bool, terminal: bool) -> Callable[[], CardDraft]:
    """Certificates of the office or the terminal that ended the day before."""

    def card() -> CardDraft:
        own = hierarchy()
        yesterday = {"end": DAY - timedelta(days=1)}
        return protected(
            credentials=own.credentials(
                own.root(),
                own.office(**(yesterday if office else {})),
                own.terminal(**(yesterday if terminal else {})),
            )
        )

    return card


def linked(first: int, last: int) -> TerminalCredentials:
    """Credentials below root ``last``, with the links that lead there from ``first``."""
    own = hierarchy()
    return own.credentials(
        own.root(first),
        own.root(last),
        *(own.link(number) for number in range(first, last)),
        own.office(under=last),
        own.terminal(),
    )


class CardOfAnotherDocument(VirtualCard):
    """A chip that checks the terminal's proof against another identifier than that of its session."""

    def process(self, command: bytes) -> bytes:
        found = self._volatile.reading._terminal
        if found is not None:
            found.chip_key = bytes(len(found.chip_key))
        return super().process(command)


def challenging(size: int) -> Callable[[], CardDraft]:
    """A chip whose challenge for the terminal has another length."""

    def drawn(reading: ReadingSide, _command: object, _size: int) -> bytes:
        return reading.random(size)

    class Chip(VirtualCard):
        def process(self, command: bytes) -> bytes:
            with patch.object(ReadingSide, "_draw_challenge", drawn):
                return super().process(command)

    return lambda: protected().having(chip=Chip)


def efcvca(identifier: bytes, short: bytes) -> Callable[[], CardDraft]:
    """DG14 says where EF.CVCA lies."""
    return lambda: protected(info=terminal_info(seq(octets(identifier), octets(short))))


TERMINAL_CASES: dict[str, Case] = {
    "ISO7816_E_07": accepted(
        of_curve(NamedCurve.SECP256R1), "terminal authentication with ECDSA and SHA-256"
    ),
    "ISO7816_E_37": accepted(
        of_curve(NamedCurve.SECP384R1), "terminal authentication with ECDSA and SHA-384"
    ),
    "ISO7816_E_38": accepted(
        of_curve(NamedCurve.BRAINPOOLP512R1), "terminal authentication with ECDSA and SHA-512"
    ),
    "ISO7816_E_08": refused(
        lambda: protected(trust_file=references(b"VNSTRANGER00001")),
        f"{CODE}.trust-point-unknown",
        reason="EF.CVCA names a key below which the terminal has no certificate",
    ),
    "ISO7816_E_09": refused(
        lambda: protected(trust_file=bytes(36)),
        f"{CODE}.trust-points-malformed",
        reason="EF.CVCA holds zeros and no reference",
    ),
    "ISO7816_E_10": refused(
        lambda: protected(trust_file=references(b"VNAAA001", b"VNAAA002", b"VNAAA003")),
        f"{CODE}.trust-points-malformed",
        reason="EF.CVCA names three keys; TR-03110-3, A.5 allows two, so none is believed",
    ),
    "ISO7816_E_11": refused(
        lambda: protected().having(chip=CardOfAnotherDocument),
        f"{CODE}.refused",
        reason="the chip holds another identifier than the one the terminal signs for, and refuses its proof",
    ),
    "ISO7816_E_12": refused(
        challenging(7), f"{CODE}.malformed", reason="the chip's challenge has seven bytes"
    ),
    "ISO7816_E_13": refused(
        challenging(9), f"{CODE}.malformed", reason="the chip's challenge has nine bytes"
    ),
    "ISO7816_E_14": accepted(
        denied(FINGERS),
        "a terminal without a right to DG3 does not ask for it",
        "data-group.no-right",
    ),
    "ISO7816_E_15": accepted(
        denied(IRISES),
        "a terminal without a right to DG4 does not ask for it",
        "data-group.no-right",
    ),
    "ISO7816_E_16": accepted(
        denied(FINGERS, IRISES),
        "a terminal without a right to DG3 and DG4 asks for neither",
        "data-group.no-right",
    ),
    "ISO7816_E_17": refused(
        wrong_office,
        f"{CODE}.chain-refused",
        reason="the signature of the document verifier's certificate is wrong, and the chip refuses it",
    ),
    "ISO7816_E_18": refused(
        wrong_terminal,
        f"{CODE}.chain-refused",
        reason="the signature of the terminal's certificate is wrong, and the chip refuses it",
    ),
    "ISO7816_E_19": refused(
        ended(office=True, terminal=True),
        f"{CODE}.expired",
        reason="document verifier's and terminal's certificates have ended: they are not even shown",
    ),
    "ISO7816_E_20": refused(
        ended(office=True, terminal=False),
        f"{CODE}.expired",
        reason="the document verifier's certificate has ended",
    ),
    "ISO7816_E_21": refused(
        ended(office=False, terminal=True),
        f"{CODE}.expired",
        reason="the terminal's certificate has ended",
    ),
    "ISO7816_E_22": refused(
        efcvca(b"\x01\x1b", b"\x1b"),
        f"{CODE}.trust-points-missing",
        reason="DG14 says that EF.CVCA has the file identifier 011B, and there is no such file",
    ),
    "ISO7816_E_23": refused(
        efcvca(b"\x01\x1c", b"\x1b"),
        f"{CODE}.trust-points-missing",
        reason="DG14 says that EF.CVCA has the short identifier 1B, and there is no such file",
    ),
    "ISO7816_E_24": refused(
        lambda: protected(
            credentials=hierarchy().credentials(
                hierarchy().root(3), hierarchy().office(under=3), hierarchy().terminal()
            )
        ),
        f"{CODE}.trust-point-unknown",
        reason="the terminal lacks the links from the chip's trust point to its own",
    ),
    "ISO7816_E_25": accepted(
        lambda: protected(credentials=linked(1, 4)), "the chain to the terminal has three links"
    ),
    "ISO7816_E_26": accepted(
        protected, "after terminal authentication DG11 and DG12 are read beside DG13"
    ),
    "ISO7816_E_29": accepted(
        lambda: protected(
            hierarchy().root(bits=DG3 | DG4),
            credentials=entitled(DG3 | DG4),
            files=biometric(FINGERS),
        ),
        "a terminal with both rights reads DG3 of a chip without DG4",
    ),
    "ISO7816_E_30": accepted(
        lambda: protected(
            hierarchy().root(bits=DG3 | DG4),
            credentials=entitled(DG3 | DG4),
            files=biometric(IRISES),
        ),
        "a terminal with both rights reads DG4 of a chip without DG3",
    ),
    "ISO7816_E_31": accepted(
        lambda: tuple(protected() for _ in range(2)),
        "the terminal signs for the chip's ephemeral key of PACE, which is another in each session",
    ),
    "ISO7816_E_32": accepted(
        lambda: protected(credentials=linked(1, 2)),
        "one link brings the chip's trust point up to date",
    ),
    "ISO7816_E_33": accepted(
        lambda: protected(credentials=linked(1, 3)),
        "two links bring the chip's trust point up to date, one after the other",
    ),
    "ISO7816_E_34": accepted(
        lambda: protected(hierarchy().root(2), hierarchy().root(1), credentials=linked(1, 2)),
        "a link is at hand, and the chip trusts its key already",
    ),
}

TRUST_POINT_CASES: dict[str, Case] = {
    "LDS_G_01": refused(
        lambda: protected(trust_file=references(b"VNMEMBER00001", tag=0x43)),
        f"{CODE}.trust-points-malformed",
        reason="the first reference in EF.CVCA stands in tag 43",
    ),
    "LDS_G_02": refused(
        lambda: protected(trust_file=b""),
        f"{CODE}.trust-points-missing",
        reason="EF.CVCA is empty",
    ),
}
