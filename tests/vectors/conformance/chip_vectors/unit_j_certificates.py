"""Unit J, first half: one document verifier's certificate that is wrong in one thing (TR-03110-3, C.1 and D.2).

The root's key is selected, PSO:Verify Certificate carries the wrong certificate; the card refuses it under secure
messaging, the session goes on, nothing may be verified with its key, and the current date does not move.
"""

from collections.abc import Callable
from dataclasses import replace

from chip_vectors import cv_certificates
from chip_vectors.bench import BAD_FORM, NOT_SECURED, OK, REFUSED, Bench, Case, change_last
from chip_vectors.cv_certificates import (
    BODY,
    CAR,
    CHAT,
    EFFECTIVE,
    EXPIRES,
    OID,
    POINT,
    SIGNATURE,
    Draft,
    Objects,
)
from chip_vectors.documents import ROOT, TODAY, terminal, verifier
from chip_vectors.driver import CURVE, Answer, require

from card_layout import der, tlv

_NOT_TAKEN = REFUSED | BAD_FORM
Spoil = Callable[[Draft], Draft]


def check_refused_verifier(bench: Bench, answer: Answer, draft: Draft) -> None:
    """What holds after any refused certificate of a document verifier."""
    require(answer, *_NOT_TAKEN)
    assert answer.is_protected
    bench.check_alive()
    # Its key is not there: neither for the next certificate nor for a proof.
    below = terminal()
    require(bench.terminal.set_trust_point(draft.reference), *REFUSED)
    require(bench.terminal.verify_certificate(below.content), *REFUSED)
    require(bench.authenticate(below), *REFUSED)
    bench.check_rights(dg3=False, dg4=False)
    assert bench.card.image.current_date == TODAY


def _wrong(case_id: str, shows: str, *spoils: Spoil) -> Case:
    """One case, with as many wrong certificates as there are ways to be wrong in the same thing."""

    def run() -> None:
        bench = Bench()
        for spoil in spoils:
            draft = spoil(verifier())
            bench.start()
            require(bench.terminal.set_trust_point(ROOT.reference), OK)
            check_refused_verifier(bench, bench.terminal.verify_certificate(draft.content), draft)
        bench.check_date(TODAY)

    return Case(id=case_id, shows=shows, run=run)


def _wrong_content(case_id: str, shows: str, *makes: Callable[[Draft], bytes]) -> Case:
    """The same where the data field is wrong before it is a certificate."""

    def run() -> None:
        bench = Bench()
        for make in makes:
            draft = verifier()
            bench.start()
            require(bench.terminal.set_trust_point(ROOT.reference), OK)
            check_refused_verifier(bench, bench.terminal.verify_certificate(make(draft)), draft)
        bench.check_date(TODAY)

    return Case(id=case_id, shows=shows, run=run)


def _lengthened(tag: int, by: int) -> Callable[[bytes], bytes]:
    """Tag and a length that is not the value's."""

    def encode(value: bytes) -> bytes:
        encoded = tlv.encode(tag, value)
        header = len(encoded) - len(value)
        changed = int.from_bytes(encoded[:header], "big") + by
        return changed.to_bytes(header, "big") + value

    return encode


def _halves(change: Callable[[bytes, bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda signature: change(signature[:32], signature[32:])


def _with_key_at_end(draft: Draft, tag: int, value: bytes) -> Draft:
    return replace(draft, key_objects=(*draft.key_objects, (tag, value)))


def _with_parameters(draft: Draft) -> Objects:
    """The verifier's own key behind all of its curve's parameters, as a root's certificate has it."""
    point = dict(draft.key_objects)[POINT]
    return ROOT.with_key_object(POINT, point).key_objects


def _rsa(*objects: tuple[int, bytes]) -> Spoil:
    """A public key for RSA, with these objects behind its identifier."""
    identifier = der.encode_object_identifier(cv_certificates.RSA_SHA_256)
    return lambda draft: replace(draft, key_objects=((OID, identifier), *objects))


_ORDER = CURVE.n.to_bytes(32, "big")
_MODULUS = (0x81, b"\xc5" + bytes(254) + b"\x01")
_EXPONENT = (0x82, b"\x01\x00\x01")
_SHORT_POINT = b"\x04" + bytes(range(1, 49))


def _without_secure_messaging() -> None:
    right = verifier()
    for steps in range(2):
        bench = Bench().start()
        terminal_side = bench.terminal
        if steps:
            require(terminal_side.set_trust_point(ROOT.reference), OK)
            answer = terminal_side.plain("002A00BE", right.content)
        else:
            answer = terminal_side.plain("002281B6", tlv.encode(0x83, ROOT.reference))
        require(answer, *NOT_SECURED)
        bench.check_ended()
        require(terminal_side.plain("002A00BE", right.content), *NOT_SECURED)
        bench.check_date(TODAY)


def _with_wrong_class(header: str) -> Callable[[], None]:
    """Classes that ISO/IEC 7816-4 keeps for others, right under secure messaging but for them."""

    def run() -> None:
        right = verifier()
        for wrong in (0x8C, 0xEC, 0x0F):
            bench = Bench().start()
            data = tlv.encode(0x83, ROOT.reference)
            if header == "002A00BE":
                require(bench.terminal.set_trust_point(ROOT.reference), OK)
                data = right.content
            answer = bench.terminal.send(header, data, cla=wrong)
            require(answer, *NOT_SECURED)
            assert not answer.is_protected
            bench.check_ended()
            bench.check_date(TODAY)

    return run


def _unknown_root() -> None:
    bench = Bench().start()
    for name in (b"VNCVCATV00009", b"XXCVCATV00001", ROOT.reference[:-1], b""):
        require(bench.terminal.set_trust_point(ROOT.reference), OK)
        # The wrong name also unselects the right one.
        require(bench.terminal.set_trust_point(name), 0x6A88, 0x6A80)
        require(bench.terminal.verify_certificate(verifier().content), *REFUSED)
    check_refused_verifier(
        bench, bench.try_certificate(verifier(authority="XXCVCATV00001")), verifier()
    )
    bench.check_date(TODAY)


def _no_root() -> None:
    bench = Bench().start()
    answer = bench.terminal.verify_certificate(verifier().content)
    check_refused_verifier(bench, answer, verifier())
    # A selection serves for one certificate.
    bench.start().present(verifier())
    require(bench.terminal.verify_certificate(verifier().content), *REFUSED)
    bench.check_date(TODAY)


_SAME_DATE = "a terminal that ended on the card's old date still gets in"
CASES = (
    _wrong(
        "ISO7816_J_2",
        "a certificate that names another authority than the selected root is refused",
        lambda draft: draft.having(CAR, b"VNCVCATV00009"),
        lambda draft: draft.having(CAR, b"XXCVCATV00001"),
        lambda draft: draft.having(CAR, b""),
    ),
    _wrong(
        "ISO7816_J_3",
        "a certificate whose signature another key made is refused",
        lambda draft: replace(draft, signed_by="somebody else"),
        lambda draft: draft.signed(lambda _: bytes(range(1, 65))),
    ),
    _wrong_content(
        "ISO7816_J_4", "a certificate without signature is refused", lambda draft: draft.body
    ),
    _wrong_content(
        "ISO7816_J_5",
        "a signature without a body, and no data at all, are refused",
        lambda draft: tlv.encode(SIGNATURE, draft.content[-64:]),
        lambda _: b"",
    ),
    _wrong(
        "ISO7816_J_6",
        "a verifier's certificate without holder authorisation is refused",
        lambda draft: draft.without(CHAT),
    ),
    _wrong(
        "ISO7816_J_7",
        "a verifier's certificate without effective date is refused",
        lambda draft: draft.without(EFFECTIVE),
    ),
    _wrong(
        "ISO7816_J_8",
        "a verifier's certificate without expiration date is refused",
        lambda draft: draft.without(EXPIRES),
    ),
    _wrong(
        "ISO7816_J_9",
        "an effective date with a digit above nine, or packed digits, is refused",
        lambda draft: draft.having(EFFECTIVE, bytes.fromhex("02060002000A")),
        lambda draft: draft.having(EFFECTIVE, bytes.fromhex("260201")),
    ),
    _wrong(
        "ISO7816_J_10",
        "an expiration date with a digit above nine, or packed digits, is refused",
        lambda draft: draft.having(EXPIRES, bytes.fromhex("0206000F0300")),
        lambda draft: draft.having(EXPIRES, bytes.fromhex("260430")),
    ),
    Case(
        id="ISO7816_J_12",
        shows="MSE:Set DST or Verify Certificate in plain end the session, and no certificate is taken",
        run=_without_secure_messaging,
    ),
    Case(
        id="ISO7816_J_13",
        shows="MSE:Set DST under a wrong class byte is refused and ends the session",
        run=_with_wrong_class("002281B6"),
    ),
    Case(
        id="ISO7816_J_15",
        shows="Verify Certificate under a wrong class byte is refused and ends the session",
        run=_with_wrong_class("002A00BE"),
    ),
    _wrong(
        "ISO7816_J_17",
        "a body under the tag of another template is refused",
        lambda draft: replace(draft, encode_body=lambda value: tlv.encode(0x7F4F, value)),
        lambda draft: replace(draft, encode_body=lambda value: tlv.encode(0x7F21, value)),
    ),
    _wrong(
        "ISO7816_J_18",
        "a signature under another tag is refused",
        lambda draft: replace(draft, encode_signature=lambda value: tlv.encode(0x5F38, value)),
        lambda draft: replace(draft, encode_signature=lambda value: tlv.encode(0x9E, value)),
    ),
    _wrong(
        "ISO7816_J_19",
        "an effective date that no calendar has is refused",
        lambda draft: draft.having(EFFECTIVE, cv_certificates.date("20260230")),
        lambda draft: draft.having(EFFECTIVE, cv_certificates.date("20261301")),
        lambda draft: draft.having(EFFECTIVE, cv_certificates.date("20260200")),
    ),
    _wrong(
        "ISO7816_J_20",
        "an expiration date that no calendar has is refused",
        lambda draft: draft.having(EXPIRES, cv_certificates.date("20260431")),
        lambda draft: draft.having(EXPIRES, cv_certificates.date("20270229")),
        lambda draft: draft.having(EXPIRES, cv_certificates.date("20260001")),
    ),
    _wrong(
        "ISO7816_J_21",
        "a certificate that expires before it becomes effective is refused",
        lambda draft: draft.having(EXPIRES, cv_certificates.date("20260131")),
    ),
    _wrong(
        "ISO7816_J_23",
        "an authorisation for another type of terminal, or for none, is refused",
        lambda draft: draft.having(
            CHAT,
            cv_certificates.authorisation(
                0x80 << 32, terminal_type=cv_certificates.AUTHENTICATION_TERMINAL, size=5
            ),
        ),
        lambda draft: draft.having(
            CHAT, cv_certificates.authorisation(0x83, terminal_type="0.4.0.127.0.7.3.1.2.9")
        ),
        lambda draft: draft.having(CHAT, tlv.encode(0x53, b"\x83")),
    ),
    _wrong(
        "ISO7816_J_24",
        "a public key under the identifier of another algorithm, SHA-1 among them, is refused",
        lambda draft: draft.having_algorithm("0.4.0.127.0.7.2.2.1.2"),
        lambda draft: draft.having_algorithm(cv_certificates.ECDSA_SHA_1),
        lambda draft: draft.having_algorithm("1.2.840.10045.2.1"),
    ),
    Case(
        id="ISO7816_J_25",
        shows=f"a root that the card does not have cannot be selected, and the one before is unselected; {_SAME_DATE}",
        run=_unknown_root,
    ),
    _wrong(
        "ISO7816_J_26",
        f"after a certificate with a body under a tag of its own making {_SAME_DATE}",
        lambda draft: replace(draft, encode_body=lambda value: tlv.encode(0x7F4D, value)),
    ),
    _wrong(
        "ISO7816_J_27",
        f"after a certificate with a signature under a tag of its own making {_SAME_DATE}",
        lambda draft: replace(draft, encode_signature=lambda value: tlv.encode(0x5F36, value)),
    ),
    _wrong(
        "ISO7816_J_28",
        f"after a body whose length is one too many or one too few {_SAME_DATE}",
        lambda draft: replace(draft, encode_body=_lengthened(BODY, 1)),
        lambda draft: replace(draft, encode_body=_lengthened(BODY, -1)),
    ),
    _wrong(
        "ISO7816_J_29",
        f"after a signature whose length is one too many or one too few {_SAME_DATE}",
        lambda draft: replace(draft, encode_signature=_lengthened(SIGNATURE, 1)),
        lambda draft: replace(draft, encode_signature=_lengthened(SIGNATURE, -1)),
    ),
    _wrong(
        "ISO7816_J_30",
        f"after a signature whose last byte is one more {_SAME_DATE}",
        lambda draft: draft.signed(change_last),
    ),
    _wrong(
        "ISO7816_J_31",
        f"after a signature that lacks its last byte, or has one more, {_SAME_DATE}",
        lambda draft: draft.signed(lambda signature: signature[:-1]),
        # The same two numbers: only the length is wrong.
        lambda draft: draft.signed(_halves(lambda r, s: r + b"\x00" + s)),
        lambda draft: draft.signed(_halves(lambda r, s: b"\x00" + r + b"\x00" + s)),
    ),
    _wrong(
        "ISO7816_J_32",
        f"the card has no RSA; after the like of it for ECDSA, an r or s not below the order, {_SAME_DATE}",
        lambda draft: draft.signed(_halves(lambda _r, s: _ORDER + s)),
        lambda draft: draft.signed(_halves(lambda r, _s: r + _ORDER)),
        lambda draft: draft.signed(lambda _: b"\xff" * 64),
    ),
    _wrong(
        "ISO7816_J_33",
        f"after a signature with r = 0 {_SAME_DATE}",
        lambda draft: draft.signed(_halves(lambda _r, s: bytes(32) + s)),
    ),
    _wrong(
        "ISO7816_J_34",
        f"after a signature with s = 0 {_SAME_DATE}",
        lambda draft: draft.signed(_halves(lambda r, _s: r + bytes(32))),
    ),
    Case(
        id="ISO7816_J_35",
        shows=f"no certificate is taken unless its authority's key was selected for it; {_SAME_DATE}",
        run=_no_root,
    ),
    _wrong(
        "ISO7816_J_36",
        f"after a public key with an identifier that is none of terminal authentication {_SAME_DATE}",
        lambda draft: draft.having_algorithm("0.4.0.127.0.7.2.2.2.2.9"),
        lambda draft: draft.with_key_object(OID, b""),
    ),
    _wrong(
        "ISO7816_J_37",
        f"after a public key without identifier {_SAME_DATE}",
        lambda draft: draft.with_key_object(OID, None),
    ),
    _wrong(
        "ISO7816_J_38",
        f"after a public key without public point {_SAME_DATE}",
        lambda draft: draft.with_key_object(POINT, None),
    ),
    _wrong(
        "ISO7816_J_39",
        f"the card has no RSA and refuses its keys, with a modulus and without; {_SAME_DATE}",
        _rsa(_EXPONENT),
        _rsa(_MODULUS, _EXPONENT),
    ),
    _wrong(
        "ISO7816_J_40",
        f"the card has no RSA and refuses its keys, without exponent too; {_SAME_DATE}",
        _rsa(_MODULUS),
    ),
    _wrong(
        "ISO7816_J_41",
        f"after a public key with an object that is no part of one {_SAME_DATE}",
        lambda draft: _with_key_at_end(draft, 0x88, b"\x01"),
        lambda draft: _with_key_at_end(draft, POINT, b"\x04" + bytes(64)),
        # Domain parameters are a root's to give, and no part of a verifier's key (TR-03110-3, C.1.3).
        lambda draft: replace(draft, key_objects=_with_parameters(draft)),
    ),
    _wrong(
        "ISO7816_J_55",
        "a verifier's public key that is shorter than its curve's is refused",
        lambda draft: draft.with_key_object(POINT, dict(draft.key_objects)[POINT][:-1]),
        lambda draft: draft.with_key_object(POINT, _SHORT_POINT),
    ),
)
