"""Chains of CV certificates: who may sign whom, until when, and what is left of the rights."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from card_layout.curves import NamedCurve
from pki.card_verifiable.authorisation import (
    CertificateExtension,
    FileRights,
    HolderAuthorisation,
    Role,
    TerminalType,
)
from pki.card_verifiable.certificate import CertificateBody, CvCertificate
from pki.card_verifiable.chain import (
    MAX_CHAIN_CERTIFICATES,
    JudgedCertificate,
    judge_chain,
)
from pki.card_verifiable.issue import (
    Validity,
    compose_below,
    sign_certificate,
    validity_from,
)
from pki.card_verifiable.public_key import CvPublicKey, sign_plainly
from pki.card_verifiable.references import HolderReference
from pki.errors import PkiDataError, PkiError, PkiRefusedError
from pki.keys.software import SoftwareSigner

DAY = date(2026, 11, 21)
INSPECTION = TerminalType.INSPECTION_SYSTEM


def new_signer(curve: NamedCurve = NamedCurve.SECP256R1) -> SoftwareSigner:
    return SoftwareSigner(ec.generate_private_key(curve.to_cryptography()))


def reference(mnemonic: str, number: int = 1) -> HolderReference:
    return HolderReference(country="VN", mnemonic=mnemonic, sequence_number=f"{number:05}")


ROOT = reference("ROOT")
VERIFIER = reference("OFFICES")
GATE = reference("GATE")
SIGNERS = {item: new_signer() for item in (ROOT, ROOT.next, VERIFIER, GATE)}


def certificate(
    holder: HolderReference,
    authority: HolderReference,
    role: Role,
    *,
    groups: frozenset[int] | None = frozenset({13}),
    bits: int = 0,
    terminal_type: TerminalType = INSPECTION,
    first: date = DAY,
    last: date = DAY + timedelta(days=30),
    signer: SoftwareSigner | None = None,
    key: SoftwareSigner | None = None,
) -> CvCertificate:
    """Whatever is asked for, allowed or not."""
    extension = () if groups is None else (CertificateExtension.granting(FileRights(groups)),)
    body = CertificateBody(
        authority_reference=authority,
        public_key=CvPublicKey.of(key or SIGNERS[holder], explicit=role is Role.CVCA),
        holder_reference=holder,
        authorisation=HolderAuthorisation(terminal_type=terminal_type, role=role, access_bits=bits),
        effective_date=first,
        expiration_date=last,
        extensions=extension,
    )
    return CvCertificate(
        body=body, signature=sign_plainly(signer or SIGNERS[authority], body.to_bytes())
    )


ANCHOR = certificate(ROOT, ROOT, Role.CVCA)
LINK = certificate(ROOT.next, ROOT, Role.CVCA)
OFFICES = certificate(VERIFIER, ROOT, Role.DOCUMENT_VERIFIER)
TERMINAL = certificate(GATE, VERIFIER, Role.TERMINAL)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(PkiError) as caught:
        action()
    return caught.value.code


def judge(
    *chain: CvCertificate, anchor: CvCertificate = ANCHOR, on: date = DAY
) -> JudgedCertificate:
    return judge_chain(chain, anchors=(anchor,), on=on)


def test_a_terminal_under_a_trusted_cvca_has_its_rights() -> None:
    judged = judge(OFFICES, TERMINAL)
    assert judged.holder_reference == GATE
    assert judged.rights.files == FileRights.of([13])
    assert judged.public_key.to_cryptography() == SIGNERS[GATE].public_key


def test_a_link_leads_from_one_key_of_the_cvca_to_the_next() -> None:
    offices = certificate(VERIFIER, ROOT.next, Role.DOCUMENT_VERIFIER)
    assert judge(LINK, offices, TERMINAL).rights.files == FileRights.of([13])
    assert code_of(lambda: judge(offices, TERMINAL)) == "cv-certificate.issuer-unknown"


def test_a_link_may_inherit_its_curve() -> None:
    body = replace(LINK.body, public_key=LINK.body.public_key.without_parameters())
    link = CvCertificate(body=body, signature=sign_plainly(SIGNERS[ROOT], body.to_bytes()))
    offices = certificate(VERIFIER, ROOT.next, Role.DOCUMENT_VERIFIER)
    assert judge(link, offices, TERMINAL).public_key.curve is NamedCurve.SECP256R1


def test_a_link_may_lead_to_another_curve() -> None:
    key = new_signer(NamedCurve.BRAINPOOLP384R1)
    gate = new_signer(NamedCurve.BRAINPOOLP384R1)
    verifier = new_signer(NamedCurve.BRAINPOOLP384R1)
    judged = judge(
        certificate(ROOT.next, ROOT, Role.CVCA, key=key),
        certificate(VERIFIER, ROOT.next, Role.DOCUMENT_VERIFIER, signer=key, key=verifier),
        certificate(GATE, VERIFIER, Role.TERMINAL, signer=verifier, key=gate),
    )
    assert judged.public_key.curve is NamedCurve.BRAINPOOLP384R1


def test_a_key_on_another_curve_than_its_cvcas_is_malformed() -> None:
    verifier = certificate(
        VERIFIER, ROOT, Role.DOCUMENT_VERIFIER, key=new_signer(NamedCurve.BRAINPOOLP256R1)
    )
    assert code_of(lambda: judge(verifier, TERMINAL)) == "cv-certificate.malformed"


@pytest.mark.parametrize(
    ("above", "allowed"),
    [
        (Role.CVCA, {Role.CVCA, Role.DOCUMENT_VERIFIER, Role.FOREIGN_DOCUMENT_VERIFIER}),
        (Role.DOCUMENT_VERIFIER, {Role.TERMINAL}),
        (Role.FOREIGN_DOCUMENT_VERIFIER, {Role.TERMINAL}),
        (Role.TERMINAL, set()),
    ],
)
def test_who_may_sign_whom(above: Role, allowed: set[Role]) -> None:
    assert {role for role in Role if above.may_certify(role)} == allowed


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        pytest.param((), "cv-certificate.chain-incomplete", id="nothing"),
        pytest.param((OFFICES,), "cv-certificate.chain-incomplete", id="no terminal"),
        pytest.param((TERMINAL, OFFICES), "cv-certificate.chain-incomplete", id="other order"),
        pytest.param((TERMINAL,), "cv-certificate.issuer-unknown", id="no document verifier"),
        pytest.param(
            (certificate(GATE, ROOT, Role.TERMINAL),),
            "cv-certificate.role-not-allowed",
            id="CVCA signs terminal",
        ),
        pytest.param(
            (
                OFFICES,
                certificate(ROOT.next, VERIFIER, Role.DOCUMENT_VERIFIER),
                certificate(GATE, ROOT.next, Role.TERMINAL),
            ),
            "cv-certificate.role-not-allowed",
            id="document verifier signs document verifier",
        ),
        pytest.param(
            (
                OFFICES,
                certificate(ROOT.next, VERIFIER, Role.CVCA),
                certificate(GATE, ROOT.next, Role.TERMINAL),
            ),
            "cv-certificate.role-not-allowed",
            id="document verifier signs CVCA",
        ),
        pytest.param(
            (OFFICES, TERMINAL, certificate(ROOT.next, GATE, Role.TERMINAL)),
            "cv-certificate.role-not-allowed",
            id="terminal signs terminal",
        ),
        pytest.param(
            (certificate(VERIFIER, ROOT, Role.CVCA), TERMINAL),
            "cv-certificate.holder-differs",
            id="link to another holder",
        ),
        pytest.param(
            (ANCHOR, OFFICES, TERMINAL),
            "cv-certificate.holder-differs",
            id="link to itself",
        ),
        pytest.param(
            (
                certificate(
                    VERIFIER,
                    ROOT,
                    Role.DOCUMENT_VERIFIER,
                    terminal_type=TerminalType.SIGNATURE_TERMINAL,
                ),
                TERMINAL,
            ),
            "cv-certificate.terminal-type-differs",
            id="another type of terminal",
        ),
        pytest.param(
            (certificate(VERIFIER, ROOT, Role.DOCUMENT_VERIFIER, signer=new_signer()), TERMINAL),
            "cv-certificate.signature-invalid",
            id="signed by another key",
        ),
        pytest.param(
            (*(LINK,) * MAX_CHAIN_CERTIFICATES, TERMINAL),
            "cv-certificate.chain-too-long",
            id="too long",
        ),
    ],
)
def test_a_chain_that_is_none_is_refused(chain: tuple[CvCertificate, ...], code: str) -> None:
    assert code_of(lambda: judge(*chain)) == code


def test_only_a_self_signed_certificate_of_a_cvca_can_be_trusted() -> None:
    assert (
        code_of(lambda: JudgedCertificate.trusted(LINK, on=DAY))
        == "cv-certificate.role-not-allowed"
    )
    forged = certificate(ROOT, ROOT, Role.CVCA, signer=new_signer())
    assert (
        code_of(lambda: judge(OFFICES, TERMINAL, anchor=forged))
        == "cv-certificate.signature-invalid"
    )


@pytest.mark.parametrize("which", [0, 1, 2])
def test_every_certificate_must_be_valid_on_the_day(which: int) -> None:
    spans = [(DAY - timedelta(days=9), DAY + timedelta(days=9))] * 3
    spans[which] = (DAY - timedelta(days=1), DAY + timedelta(days=1))
    anchor, offices, terminal = (
        certificate(holder, authority, role, first=first, last=last)
        for (holder, authority, role), (first, last) in zip(
            (
                (ROOT, ROOT, Role.CVCA),
                (VERIFIER, ROOT, Role.DOCUMENT_VERIFIER),
                (GATE, VERIFIER, Role.TERMINAL),
            ),
            spans,
            strict=True,
        )
    )
    for offset, code in ((-2, "cv-certificate.not-yet-valid"), (2, "cv-certificate.expired")):
        day = DAY + timedelta(days=offset)
        action = lambda day=day: judge(offices, terminal, anchor=anchor, on=day)  # noqa: E731 - one of many alike
        assert code_of(action) == code
    for offset in (-1, 0, 1):
        judge(offices, terminal, anchor=anchor, on=DAY + timedelta(days=offset))


grants = st.one_of(st.none(), st.frozensets(st.integers(1, 16)))
access = st.integers(0, 63)


@settings(deadline=None)
@given(st.lists(st.tuples(grants, access), min_size=4, max_size=4))
def test_effective_rights_never_exceed_those_of_any_certificate(
    rights: list[tuple[frozenset[int] | None, int]],
) -> None:
    anchor, link, offices, terminal = (
        certificate(holder, authority, role, groups=groups, bits=bits)
        for (holder, authority, role), (groups, bits) in zip(
            (
                (ROOT, ROOT, Role.CVCA),
                (ROOT.next, ROOT, Role.CVCA),
                (VERIFIER, ROOT.next, Role.DOCUMENT_VERIFIER),
                (GATE, VERIFIER, Role.TERMINAL),
            ),
            rights,
            strict=True,
        )
    )
    found = judge(link, offices, terminal, anchor=anchor).rights
    for groups, bits in rights:
        assert found.files.data_groups <= (groups or frozenset())
        assert found.access_bits & ~bits == 0
    granted = frozenset.intersection(*(groups or frozenset() for groups, _ in rights))
    assert found.files.data_groups == granted


@pytest.mark.parametrize("which", [0, 1, 2])
def test_no_byte_of_a_chain_can_be_altered(which: int) -> None:
    chain = [ANCHOR.to_bytes(), OFFICES.to_bytes(), TERMINAL.to_bytes()]
    judge_encoded(chain)
    for position in range(len(chain[which])):
        for mask in (0x01, 0x80):
            altered = bytearray(chain[which])
            altered[position] ^= mask
            changed = [*chain[:which], bytes(altered), *chain[which + 1 :]]
            with pytest.raises((PkiDataError, PkiRefusedError)):
                judge_encoded(changed)


def judge_encoded(chain: list[bytes]) -> JudgedCertificate:
    anchor, *rest = (CvCertificate.from_bytes(item) for item in chain)
    return judge_chain(rest, anchors=(anchor,), on=DAY)


@pytest.mark.parametrize(
    ("day", "role", "last"),
    [
        (date(2026, 11, 21), Role.CVCA, date(2029, 11, 20)),
        (date(2026, 11, 30), Role.DOCUMENT_VERIFIER, date(2027, 2, 27)),
        (date(2026, 12, 31), Role.TERMINAL, date(2027, 1, 30)),
        (date(2027, 1, 31), Role.TERMINAL, date(2027, 2, 27)),
        (date(2028, 1, 31), Role.TERMINAL, date(2028, 2, 28)),
    ],
)
def test_the_usual_validity_is_whole_months_with_both_ends(
    day: date, role: Role, last: date
) -> None:
    assert validity_from(day, role) == Validity(effective_date=day, expiration_date=last)
    cut = validity_from(day, role, not_after=day + timedelta(days=3))
    assert cut.expiration_date == day + timedelta(days=3)


def composed(
    *,
    above: JudgedCertificate,
    role: Role = Role.TERMINAL,
    groups: tuple[int, ...] = (13,),
    bits: int = 0,
    days: int = 30,
) -> CertificateBody:
    return compose_below(
        above,
        role=role,
        reference=GATE,
        public_key=CvPublicKey.of(SIGNERS[GATE], explicit=True),
        files=FileRights.of(groups),
        access_bits=bits,
        validity=Validity(effective_date=DAY, expiration_date=DAY + timedelta(days=days)),
    )


def test_what_is_composed_and_signed_is_judged_good() -> None:
    offices = JudgedCertificate.trusted(ANCHOR, on=DAY).follow(OFFICES, on=DAY)
    body = composed(above=offices)
    signed = sign_certificate(
        body,
        signer=SIGNERS[VERIFIER],
        key=offices.public_key,
        algorithm=OFFICES.body.public_key.algorithm,
    )
    assert judge(OFFICES, signed).rights.files == FileRights.of([13])
    action = lambda: sign_certificate(  # noqa: E731 - one of many alike
        body,
        signer=SIGNERS[ROOT],
        key=offices.public_key,
        algorithm=OFFICES.body.public_key.algorithm,
    )
    assert code_of(action) == "signing.key-mismatch"


def test_nobody_composes_more_than_they_have() -> None:
    offices = JudgedCertificate.trusted(ANCHOR, on=DAY).follow(OFFICES, on=DAY)
    for action, code in (
        (lambda: composed(above=offices, role=Role.CVCA), "cv-certificate.role-not-allowed"),
        (lambda: composed(above=offices, groups=(13, 14)), "cv-certificate.rights-exceeded"),
        (lambda: composed(above=offices, bits=1), "cv-certificate.rights-exceeded"),
        (lambda: composed(above=offices, days=31), "cv-certificate.validity-exceeded"),
    ):
        assert code_of(action) == code
    assert composed(above=offices, groups=()).extensions == ()
