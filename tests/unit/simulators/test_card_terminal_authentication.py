"""Terminal authentication on the card: chains, rights, date, trust points (SPEC.md, 10; TR-03110-3, B.3)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from card_layout import tlv
from card_layout.atr import LifeCycle
from card_layout.curves import NamedCurve
from simulators.card.operating_system import VirtualCard
from simulators.card.points import Point
from simulators.image import CardImage

CVCA, DOMESTIC, FOREIGN, TERMINAL = 0xC0, 0x80, 0x40, 0x00
READABLE = {3: b"\x03", 4: b"\x04", 13: b"\x0d"}
Meet = Callable[..., Any]
Make = Callable[..., Any]


def readable(terminal: Any) -> list[int]:
    """Which of the guarded files the session opens; the refused ones are refused with 6982."""
    found = []
    for number, content in READABLE.items():
        data = terminal.read(number)
        if terminal.status == "9000":
            assert data.endswith(content)
            found.append(number)
        else:
            assert (data, terminal.status) == (b"", "6982")
    return found


@pytest.mark.parametrize("algorithm", ["aes-128"])
def test_a_terminal_with_a_valid_chain_reads_what_all_of_the_chain_grants(
    guarded: CardImage, hierarchy: Any, meet: Meet, algorithm: str
) -> None:
    terminal = meet(VirtualCard(guarded), algorithm=algorithm)
    assert readable(terminal) == []
    assert terminal.present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "9000"]
    assert readable(terminal) == []
    assert terminal.prove_terminal(hierarchy.terminal) == "9000"
    assert readable(terminal) == [3, 4, 13]
    assert terminal.read(1)


def test_chip_authentication_mapping_stands_for_chip_authentication(
    guarded: CardImage, hierarchy: Any, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    offers = tlv.parse(guarded.files["3F00/011C"].data, expected_tag=0x31).value
    mapped = bytearray(offers)
    mapped[offers.index(bytes.fromhex("04007F00070202040202")) + 8] = 6
    file = replace(guarded.files["3F00/011C"], data=tlv.encode(0x31, bytes(mapped)))
    terminal = open_terminal(VirtualCard(guarded.with_file("3F00/011C", file)))
    assert 0x8A in terminal.pace(b"123456", mapping=6)
    terminal.select_application()
    assert terminal.present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "9000"]
    assert terminal.prove_terminal(hierarchy.terminal) == "9000"
    assert readable(terminal) == [3, 4, 13]


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        (((3, 0x1000), (3, 0x1000), (3, 0x1000)), [3, 4, 13]),
        (((3, 0x1000), (1, 0x1000), (3, 0x1000)), [3, 13]),
        (((3, 0x1000), (3, 0x1000), (2, 0x1000)), [4, 13]),
        (((0, 0x1000), (3, 0x1000), (3, 0x1000)), [13]),
        (((3, None), (3, 0x1000), (3, 0x1000)), [3, 4]),
        (((3, 0x1000), (3, None), (3, 0x1000)), [3, 4]),
        (((3, 0x1000), (3, 0x1000), (3, None)), [3, 4]),
        (((0, 0x100C), (0, 0x0FFF), (0, 0xFFFC)), []),
        (((0, 0x1000), (0, 0xEFFF), (0, 0xFFFF)), []),
        (((1, 0x1000), (2, 0x1000), (3, 0x0FFF)), []),
        (((0x3C, 0), (0x3C, 0), (0x3C, 0)), []),
    ],
)
def test_rights_are_what_every_certificate_grants(
    guarded: CardImage,
    make_cv_holder: Make,
    meet: Meet,
    grants: tuple[tuple[int, int | None], ...],
    expected: list[int],
) -> None:
    of_root, of_verifier, of_terminal = (
        {"access_bits": bits, "files": files} for bits, files in grants
    )
    root = make_cv_holder("VNROOT00001", CVCA, **of_root)
    verifier = make_cv_holder("VNOFFICE00001", DOMESTIC, root, **of_verifier)
    gate = make_cv_holder("VNGATE00001", TERMINAL, verifier, **of_terminal)
    terminal = meet(VirtualCard(replace(guarded, trust_points=(root.certificate,))))
    assert terminal.present_chain(verifier, gate) == ["9000", "9000"]
    assert terminal.prove_terminal(gate) == "9000"
    assert readable(terminal) == expected


@pytest.mark.parametrize("curve", list(NamedCurve))
@pytest.mark.parametrize("algorithm", [3, 4, 5])
def test_every_curve_and_every_allowed_hash(
    guarded: CardImage, make_cv_holder: Make, meet: Meet, curve: NamedCurve, algorithm: int
) -> None:
    options = {"curve": curve, "algorithm": algorithm}
    root = make_cv_holder("VNROOT00001", CVCA, **options)
    verifier = make_cv_holder("VNOFFICE00001", DOMESTIC, root, **options)
    gate = make_cv_holder("VNGATE00001", TERMINAL, verifier, **options)
    terminal = meet(VirtualCard(replace(guarded, trust_points=(root.certificate,))))
    assert terminal.present_chain(verifier, gate) == ["9000", "9000"]
    assert terminal.prove_terminal(gate) == "9000"
    assert readable(terminal) == [3, 4, 13]


# Order, and what a session allows (TR-03105-3.2, units J, K and L).


def test_before_the_lock_the_password_opens_what_a_terminal_needs_later(
    guarded: CardImage, meet: Meet, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    """Quality control has no terminal's certificate (SPEC.md, 8.4 and 8.7)."""
    personalised = guarded.with_state(LifeCycle.PERSONALISED)
    assert readable(meet(VirtualCard(personalised), proves_chip=False)) == [3, 4, 13]
    terminal = open_terminal(VirtualCard(personalised))
    terminal.select_application()
    assert readable(terminal) == []


def test_before_a_session_and_before_chip_authentication_nothing_is_allowed(
    guarded: CardImage, hierarchy: Any, meet: Meet, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    for terminal in (
        open_terminal(VirtualCard(guarded)),
        meet(VirtualCard(guarded), proves_chip=False),
    ):
        terminal.select_application()
        assert terminal.select_key(b"VNROOT00001") == "6982"
        assert terminal.present(hierarchy.domestic.certificate) == "6982"
        assert terminal.prove_terminal(hierarchy.terminal) == "6982"
        terminal.send("00840000")
        assert terminal.status == "6982"
        terminal.send("00820000", bytes(64), le=False)
        assert terminal.status == "6982"


def test_long_certificates_come_in_chains_or_extended(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    terminal = meet(VirtualCard(guarded))
    for is_extended in (False, True):
        terminal.is_extended = is_extended
        assert terminal.present_chain(hierarchy.link) == ["9000"]


def test_after_basic_access_control_no_terminal_is_authenticated(
    guarded: CardImage, hierarchy: Any, open_terminal: Callable[[VirtualCard], Any]
) -> None:
    """The chip's identifier would be its document number: a proof that anybody can show on."""
    secrets = replace(guarded.secrets, basic_access_control=True)
    terminal = open_terminal(VirtualCard(replace(guarded, secrets=secrets)))
    terminal.select_application()
    terminal.basic_access("T22000129364081251010318")
    assert terminal.algorithm == "3des"
    curve = NamedCurve.SECP256R1
    public = Point.generator(curve).times(0x1234567)
    terminal.prove_chip((public.x, public.y), curve, "aes-128", None)
    assert terminal.status == "9000"
    assert terminal.select_key(b"VNROOT00001") == "6982"
    assert terminal.present(hierarchy.domestic.certificate) == "6982"
    terminal.send("00840000")
    assert terminal.status == "6982"


def test_a_card_without_trust_points_knows_nothing_of_it(
    operational: CardImage, hierarchy: Any, meet: Meet
) -> None:
    terminal = meet(VirtualCard(operational))
    assert terminal.select_key(b"VNROOT00001") == "6A86"
    assert terminal.present(hierarchy.domestic.certificate) == "6D00"
    terminal.send("00840000")
    assert terminal.status == "6D00"
    terminal.send("00820000", bytes(64), le=False)
    assert terminal.status == "6D00"


def test_one_session_authenticates_one_terminal(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    terminal = meet(VirtualCard(guarded))
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    assert terminal.prove_terminal(hierarchy.terminal) == "9000"
    assert terminal.select_key(b"VNROOT00001") == "6985"
    assert terminal.present(hierarchy.domestic.certificate) == "6985"
    assert terminal.prove_terminal(hierarchy.terminal) == "6985"
    terminal.send("00840000")
    assert terminal.status == "6985"
    assert readable(terminal) == [3, 4, 13]


def test_new_keys_take_the_rights_away_and_give_no_second_try(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    terminal = meet(VirtualCard(guarded))
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    assert terminal.prove_terminal(hierarchy.terminal) == "9000"
    key = guarded.keys.chip_authentication[0]
    public = Point.generator(key.curve).times(key.private_scalar)
    terminal.prove_chip((public.x, public.y), key.curve, "aes-128", None)
    assert terminal.status == "9000"
    assert readable(terminal) == []
    assert terminal.select_key(b"VNROOT00001") == "6985"


@pytest.mark.parametrize("selection", ["00A4040C", "00A4000C"])
def test_an_application_selected_anew_has_no_terminal(
    guarded: CardImage, hierarchy: Any, meet: Meet, selection: str
) -> None:
    terminal = meet(VirtualCard(guarded))
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    assert terminal.prove_terminal(hierarchy.terminal) == "9000"
    terminal.send("00A4020C", b"\x01\x0d", le=False)
    assert terminal.read(13)
    if selection == "00A4000C":
        terminal.send(selection, le=False)
    terminal.select_application()
    assert terminal.status == "9000"
    assert readable(terminal) == []
    assert terminal.read(1)


def test_plain_commands_end_the_session_and_its_rights(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    for command in ("002281B6", "002A00BE", "002281A4", "00840000", "00820000"):
        terminal = meet(VirtualCard(guarded))
        terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
        assert terminal.prove_terminal(hierarchy.terminal) == "9000"
        terminal.plain(command, b"\x00")
        assert terminal.status == "6987"
        terminal.algorithm = None
        assert terminal.read(13) == b""
        assert terminal.status == "6982"


def test_temporary_keys_are_gone_after_a_reset(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    card = VirtualCard(guarded)
    terminal = meet(card)
    assert terminal.present_chain(hierarchy.domestic) == ["9000"]
    assert terminal.select_key(hierarchy.domestic.reference) == "9000"
    assert meet(card).select_key(hierarchy.domestic.reference) == "6A88"


def test_other_commands_may_stand_in_between_but_a_challenge_serves_once(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    terminal = meet(VirtualCard(guarded))
    assert terminal.select_key(hierarchy.root.reference) == "9000"
    assert terminal.read(1)
    assert terminal.present(hierarchy.domestic.certificate) == "9000"
    assert terminal.read(1)
    assert terminal.present_chain(hierarchy.terminal) == ["9000"]
    terminal.send("002281A4", tlv.encode(0x83, hierarchy.terminal.reference), le=False)
    assert terminal.status == "9000"
    challenge = terminal.send("00840000")
    terminal.read(1)
    signature = terminal.sign_challenge(hierarchy.terminal, challenge)
    terminal.send("00820000", signature, le=False)
    assert terminal.status == "6985"
    assert readable(terminal) == []


def test_the_first_of_two_challenges_is_worth_nothing(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    terminal = meet(VirtualCard(guarded))
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    terminal.send("002281A4", tlv.encode(0x83, hierarchy.terminal.reference), le=False)
    first, second = terminal.send("00840000"), terminal.send("00840000")
    assert len(first) == len(second) == 8
    assert first != second
    terminal.send("00820000", terminal.sign_challenge(hierarchy.terminal, first), le=False)
    assert terminal.status == "6300"
    assert readable(terminal) == []


@pytest.mark.parametrize(
    "spoiled", ["signature", "own_ephemeral", "chip_ephemeral", "key", "short"]
)
def test_a_wrong_signature_opens_nothing_and_the_chain_begins_anew(
    guarded: CardImage, hierarchy: Any, meet: Meet, spoiled: str
) -> None:
    terminal = meet(VirtualCard(guarded))
    gate = hierarchy.terminal
    terminal.present_chain(hierarchy.domestic, gate)
    holder, flaw = gate, 0
    keys = terminal.chip_ephemeral, terminal.own_ephemeral
    if spoiled == "signature":
        flaw = 1
    elif spoiled == "key":
        holder = replace(hierarchy.foreign_terminal, reference=gate.reference)
    elif spoiled != "short":
        setattr(terminal, spoiled, bytes(65))
    if spoiled == "short":
        terminal.send("002281A4", tlv.encode(0x83, gate.reference), le=False)
        signature = terminal.sign_challenge(gate, terminal.send("00840000"))
        terminal.send("00820000", signature[:-1], le=False)
        assert terminal.status == "6300"
    else:
        assert terminal.prove_terminal(holder, flaw=flaw) == "6300"
    assert readable(terminal) == []
    terminal.chip_ephemeral, terminal.own_ephemeral = keys
    assert terminal.prove_terminal(gate) == "6A88"
    assert terminal.present_chain(hierarchy.domestic, gate) == ["9000", "9000"]
    assert terminal.prove_terminal(gate) == "9000"
    assert readable(terminal) == [3, 4, 13]


@pytest.mark.parametrize(
    ("header", "data", "expected"),
    [
        ("002281A4", b"\x83\x05VNGAT", "6A88"),
        ("002281A4", b"", "6A80"),
        ("002281A4", b"\x80\x00", "6A80"),
        ("002281A4", b"\x83\x0bVNGATE00001\x91\x00", "6A80"),
        ("002281A4", b"\x83\x0bVNGATE00001\x83\x0bVNGATE00001", "6A80"),
        (
            "002281A4",
            b"\x80\x0a" + bytes.fromhex("04007F00070202020204") + b"\x83\x0bVNGATE00001",
            "6A80",
        ),
        (
            "002281A4",
            b"\x80\x0a" + bytes.fromhex("04007F00070202020203") + b"\x83\x0bVNGATE00001",
            "9000",
        ),
        ("002281A4", b"\x83\x0dVNOFFICE00001", "6A88"),
        ("002281A4", b"\x83\x0bVNROOT00001", "6A88"),
        ("002281B6", b"\x83\x0bVNROOT00009", "6A88"),
        ("002281B6", b"\x84\x0bVNROOT00001", "6A80"),
        ("002281B6", b"\x83", "6A80"),
        ("002281A6", b"\x83\x0bVNROOT00001", "6A86"),
        ("002281B4", b"\x83\x0bVNROOT00001", "6A86"),
        ("002A00BF", b"\x7f\x4e\x00", "6A86"),
        ("002A00BE", b"\x7f\x4e\x00", "6985"),
        ("00840100", b"", "6A86"),
        ("00820001", bytes(64), "6A86"),
        ("00820000", bytes(64), "6985"),
    ],
)
def test_commands_that_are_wrong_in_themselves(
    guarded: CardImage, hierarchy: Any, meet: Meet, *, header: str, data: bytes, expected: str
) -> None:
    terminal = meet(VirtualCard(guarded))
    assert terminal.present_chain(hierarchy.domestic, hierarchy.terminal) == ["9000", "9000"]
    terminal.send(header, data, le=header.startswith("0084"))
    assert terminal.status == expected
    assert readable(terminal) == []


def test_without_a_key_a_challenge_is_given_and_nothing_is_authenticated(
    guarded: CardImage, hierarchy: Any, meet: Meet
) -> None:
    terminal = meet(VirtualCard(guarded))
    terminal.present_chain(hierarchy.domestic, hierarchy.terminal)
    challenge = terminal.send("00840000")
    signature = terminal.sign_challenge(hierarchy.terminal, challenge)
    terminal.send("00820000", signature, le=False)
    assert terminal.status == "6985"
    assert readable(terminal) == []


# Certificates.


def drop(tag: int) -> Callable[[dict[int, bytes]], object]:
    return lambda body: body.pop(tag)


def put(tag: int, value: bytes) -> Callable[[dict[int, bytes]], object]:
    return lambda body: body.update({tag: value})


def in_key(change: Callable[[list[Any]], list[Any]]) -> Callable[[dict[int, bytes]], object]:
    def rewrite(body: dict[int, bytes]) -> None:
        body[0x7F49] = tlv.concatenate(change(list(tlv.parse_all(body[0x7F49]))))

    return rewrite


ID_IS = bytes.fromhex("04007F000703010201")
RSA = bytes.fromhex("04007F00070202020102")
UNKNOWN_OID = bytes.fromhex("04007F0007020202020F")


def rights(*templates: bytes) -> Callable[[dict[int, bytes]], object]:
    return put(0x65, b"".join(tlv.encode(0x73, template) for template in templates))


OURS = tlv.encode(0x06, bytes.fromhex("2B0601040181FD59330201"))
MALFORMED_BODIES = {
    "no version": drop(0x5F29),
    "another version": put(0x5F29, b"\x01"),
    "no authority": drop(0x42),
    "no key": drop(0x7F49),
    "no holder": drop(0x5F20),
    "no authorisation": drop(0x7F4C),
    "no effective date": drop(0x5F25),
    "no expiration date": drop(0x5F24),
    "an object too many": put(0x5F26, b"\x00"),
    "long reference": put(0x5F20, b"VN" + b"X" * 15),
    "short reference": put(0x5F20, b"VNX0000"),
    "effective date not decimal": put(0x5F25, b"\x02\x06\x0a\x01\x00\x01"),
    "expiration date not decimal": put(0x5F24, b"\x02\x07\x00\x0f\x00\x01"),
    "short date": put(0x5F25, b"\x26\x03\x01"),
    "effective date not of the calendar": put(0x5F25, b"\x02\x06\x00\x02\x03\x00"),
    "expiration date not of the calendar": put(0x5F24, b"\x02\x07\x01\x03\x00\x01"),
    "ends before it begins": put(0x5F24, b"\x02\x06\x00\x01\x03\x01"),
    "authorisation empty": put(0x7F4C, tlv.encode(0x06, ID_IS) + b"\x53\x00"),
    "authorisation too long": put(0x7F4C, tlv.encode(0x06, ID_IS) + tlv.encode(0x53, bytes(9))),
    "authorisation without oid": put(0x7F4C, b"\x53\x01\x83"),
    "key without oid": in_key(lambda parts: parts[1:]),
    "key without point": in_key(lambda parts: parts[:1]),
    "key with an object too many": in_key(lambda parts: [*parts, tlv.Tlv(0x88, b"\x01")]),
    "key for RSA": in_key(lambda parts: [tlv.Tlv(0x06, RSA), *parts[1:]]),
    "key for nothing known": in_key(lambda parts: [tlv.Tlv(0x06, UNKNOWN_OID), *parts[1:]]),
    "shorter key": in_key(lambda parts: [parts[0], tlv.Tlv(0x86, parts[1].value[:-2])]),
    "point off the curve": in_key(
        lambda parts: (
            [parts[0], tlv.Tlv(0x86, parts[1].value[:-1] + b"\x00\x00"[:1])]
            if parts[1].value[-1]
            else [parts[0], tlv.Tlv(0x86, parts[1].value[:-1] + b"\x01")]
        )
    ),
    "no extension in 65": put(0x65, b""),
    "rights of one byte": rights(OURS + b"\x53\x01\x10"),
    "rights twice": rights(OURS + b"\x53\x02\x10\x00", OURS + b"\x53\x02\x10\x00"),
    "rights without data": rights(OURS),
    "rights with more": rights(OURS + b"\x53\x02\x10\x00\x53\x00"),
    "extension without oid": rights(b"\x53\x02\x10\x00\x53\x00"),
    "extension of another tag": put(
        0x65, b"\x74" + bytes((len(OURS) + 4,)) + OURS + b"\x53\x02\x10\x00"
    ),
    "too many extensions": rights(*[b"\x06\x01" + bytes((n,)) + b"\x53\x00" for n in range(17)]),
}


@pytest.mark.parametrize("name", MALFORMED_BODIES)
@pytest.mark.parametrize("role", [DOMESTIC, TERMINAL])
def test_a_malformed_certificate_is_refused_and_the_date_stays(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet, *, name: str, role: int
) -> None:
    issuer = hierarchy.root if role == DOMESTIC else hierarchy.domestic
    bad = make_cv_holder(
        "VNWRONG00001", role, issuer, first="260401", change=MALFORMED_BODIES[name]
    )
    card = VirtualCard(guarded)
    terminal = meet(card)
    if role == TERMINAL:
        assert terminal.present_chain(hierarchy.domestic) == ["9000"]
    assert terminal.present_chain(bad) == ["6A80"]
    assert terminal.select_key(bad.reference) == "6A88"
    assert card.image == guarded


SPOILED = {
    "no signature": ("6A80", lambda whole, size: whole[:size]),
    "no body": ("6A80", lambda whole, size: whole[size:]),
    "nothing": ("6A80", lambda _whole, _size: b""),
    "wrong tag of the body": ("6A80", lambda whole, _size: b"\x7f\x4d" + whole[2:]),
    "wrong tag of the signature": (
        "6A80",
        lambda whole, size: whole[:size] + b"\x5f\x38" + whole[size + 2 :],
    ),
    "length of the body": (
        "6A80",
        lambda whole, _size: whole[:3] + bytes((whole[3] - 1,)) + whole[4:],
    ),
    "length of the signature": (
        "6A80",
        lambda whole, size: whole[: size + 2] + bytes((whole[size + 2] + 1,)) + whole[size + 3 :],
    ),
    "signature first": ("6A80", lambda whole, size: whole[size:] + whole[:size]),
    "something behind": ("6A80", lambda whole, _size: whole + b"\x00"),
    "last byte of the signature": (
        "6300",
        lambda whole, _size: whole[:-1] + bytes((whole[-1] ^ 1,)),
    ),
    "signature one byte short": (
        "6300",
        lambda whole, size: whole[:size] + tlv.encode(0x5F37, whole[size + 3 : -1]),
    ),
    "empty signature": ("6300", lambda whole, size: whole[:size] + tlv.encode(0x5F37, b"")),
    "r is 0": ("6300", lambda whole, size: whole[: size + 3] + bytes(32) + whole[-32:]),
    "s is 0": ("6300", lambda whole, _size: whole[:-32] + bytes(32)),
    "r beyond the order": (
        "6300",
        lambda whole, size: whole[: size + 3] + b"\xff" * 32 + whole[-32:],
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_certificate_is_refused_and_the_date_stays(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet, name: str
) -> None:
    expected, spoil = SPOILED[name]
    bad = make_cv_holder(
        "VNWRONG00001",
        DOMESTIC,
        hierarchy.root,
        first="260401",
        spoil=lambda whole: spoil(whole, len(whole) - 67),
    )
    card = VirtualCard(guarded)
    terminal = meet(card)
    terminal.select_key(hierarchy.root.reference)
    content = bad.certificate
    data = content[len(content) - tlv.read_header(content).length :]
    terminal.send("002A00BE", data, le=False)
    assert terminal.status == expected
    assert terminal.select_key(bad.reference) == "6A88"
    assert card.image == guarded


@pytest.mark.parametrize("algorithm", [1])
def test_sha_1_is_no_hash_for_certificates(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet, algorithm: int
) -> None:
    old = make_cv_holder("VNOFFICE00002", DOMESTIC, hierarchy.root, algorithm=algorithm)
    assert meet(VirtualCard(guarded)).present_chain(old) == ["6A80"]


@pytest.mark.parametrize(
    ("signer", "role"),
    [
        ("root", TERMINAL),
        ("domestic", CVCA),
        ("domestic", DOMESTIC),
        ("domestic", FOREIGN),
        ("foreign", CVCA),
        ("foreign", DOMESTIC),
        ("foreign", FOREIGN),
        ("terminal", CVCA),
        ("terminal", DOMESTIC),
        ("terminal", FOREIGN),
        ("terminal", TERMINAL),
    ],
)
def test_nobody_certifies_beyond_the_own_role(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet, *, signer: str, role: int
) -> None:
    above = {
        "root": (),
        "domestic": (hierarchy.domestic,),
        "foreign": (hierarchy.foreign,),
        "terminal": (hierarchy.domestic, hierarchy.terminal),
    }[signer]
    card = VirtualCard(guarded)
    terminal = meet(card)
    terminal.present_chain(*above)
    before = card.image
    usurper = make_cv_holder("VNWRONG00001", role, getattr(hierarchy, signer), first="260401")
    assert terminal.present_chain(usurper) == ["6300"]
    assert terminal.select_key(usurper.reference) == "6A88"
    assert card.image == before


def test_other_types_of_terminals_are_refused(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    authentication = tlv.encode(0x06, ID_IS[:-1] + b"\x02") + tlv.encode(
        0x53, b"\x80\x00\x00\x00\x03"
    )
    other = make_cv_holder(
        "VNOFFICE00002", DOMESTIC, hierarchy.root, change=put(0x7F4C, authentication)
    )
    assert meet(VirtualCard(guarded)).present_chain(other) == ["6300"]


def test_a_verifier_brings_no_domain_parameters(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    own = make_cv_holder("VNOFFICE00002", DOMESTIC, hierarchy.root, explicit=True)
    assert meet(VirtualCard(guarded)).present_chain(own) == ["6A80"]


def test_a_certificate_that_names_another_authority_is_refused(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    other = make_cv_holder("VNOFFICE00002", DOMESTIC, hierarchy.root, authority="VNROOT00009")
    terminal = meet(VirtualCard(guarded))
    assert terminal.select_key(hierarchy.root.reference) == "9000"
    assert terminal.present(other.certificate) == "6300"


def test_unknown_extensions_grant_nothing_and_harm_nothing(
    guarded: CardImage, hierarchy: Any, make_cv_holder: Make, meet: Meet
) -> None:
    strange = tlv.encode(0x06, UNKNOWN_OID) + tlv.encode(0x53, b"\xff" * 20)
    gate = make_cv_holder(
        "VNGATE00002", TERMINAL, hierarchy.domestic, first="260301", change=rights(strange)
    )
    terminal = meet(VirtualCard(guarded))
    assert terminal.present_chain(hierarchy.domestic, gate) == ["9000", "9000"]
    assert terminal.prove_terminal(gate) == "9000"
    assert readable(terminal) == [3, 4]
