"""Unit K: the proof of the terminal's key, and what makes it void (TR-03110-3, 2.5 and B.3)."""

from collections.abc import Callable

from chip_vectors.bench import BAD_FORM, NOT_SECURED, OK, REFUSED, Bench, Case
from chip_vectors.cv_certificates import Draft
from chip_vectors.documents import EF_COM, INFORMATION, ROOT, hierarchy
from chip_vectors.driver import require

from card_layout import tlv

_RIGHT = hierarchy()
_CHAIN = (_RIGHT.verifier, _RIGHT.terminal)


def _start() -> Bench:
    """Where the terminal's key is about to be selected."""
    return Bench().start().present(*_CHAIN)


def _check_no_rights(bench: Bench) -> None:
    bench.check_alive()
    bench.check_rights(dg3=False, dg4=False)


def _positive() -> None:
    for chain in (_CHAIN, (_RIGHT.foreign_verifier, _RIGHT.foreign_terminal)):
        bench = Bench().start().prove_terminal(*chain)
        bench.check_alive()
        bench.check_rights(dg3=True, dg4=True)
        assert bench.may_read(0x0D)
        # A session has one terminal: another is refused, and the first keeps its rights.
        require(bench.try_certificate(chain[0]), *REFUSED)
        require(bench.authenticate(chain[-1]), *REFUSED)
        bench.check_rights(dg3=True, dg4=True)


def _wrong_reference() -> None:
    for name in (b"VNTERMINV0002", b"VNTERMINV000", b""):
        bench = _start()
        # The right one before does not make it better.
        require(bench.terminal.set_terminal_key(_RIGHT.terminal.reference), OK)
        answer = bench.terminal.set_terminal_key(name)
        require(answer, *REFUSED, *BAD_FORM)
        challenge = bench.terminal.get_challenge()
        signature = bench.sign(_RIGHT.terminal, challenge.data)
        require(bench.terminal.external_authenticate(signature), *REFUSED)
        _check_no_rights(bench)


def _without_secure_messaging() -> None:
    """Each of the three commands in plain, the ones before under secure messaging."""
    terminal = _RIGHT.terminal
    for step in range(3):
        bench = _start()
        driver = bench.terminal
        if step == 0:
            answer = driver.plain("002281A4", tlv.encode(0x83, terminal.reference))
        else:
            require(driver.set_terminal_key(terminal.reference), OK)
            if step == 1:
                answer = driver.plain("00840000", le=8)
                assert not answer.data
            else:
                challenge = require(driver.get_challenge(), OK).data
                answer = driver.plain("00820000", bench.sign(terminal, challenge))
        require(answer, *NOT_SECURED)
        bench.check_ended()


def _key_of(above: tuple[Draft, ...], holder: Draft) -> Callable[[], None]:
    """Somebody above the terminal, with an authorisation for both files, proves the own key."""

    def run() -> None:
        bench = Bench().start().present(*above)
        answer = bench.authenticate(holder)
        require(answer, *REFUSED)
        assert answer.is_protected
        _check_no_rights(bench)

    return run


def _wrong_class() -> None:
    for wrong in (0x8C, 0xEC, 0x0F):
        bench = _start()
        require(bench.terminal.set_terminal_key(_RIGHT.terminal.reference), OK)
        challenge = require(bench.terminal.get_challenge(), OK).data
        signature = bench.sign(_RIGHT.terminal, challenge)
        answer = bench.terminal.send("00820000", signature, cla=wrong)
        require(answer, *NOT_SECURED)
        assert not answer.is_protected
        bench.check_ended()


def _first_of_two_challenges() -> None:
    bench = _start()
    require(bench.terminal.set_terminal_key(_RIGHT.terminal.reference), OK)
    first = require(bench.terminal.get_challenge(), OK).data
    second = require(bench.terminal.get_challenge(), OK).data
    assert first != second
    assert len(first) == len(second) == 8
    signature = bench.sign(_RIGHT.terminal, first)
    require(bench.terminal.external_authenticate(signature), 0x6300)
    _check_no_rights(bench)


def _short_challenge() -> None:
    """The card gives eight bytes or nothing, and takes no signature over fewer."""
    for size in (1, 4, 7):
        bench = _start()
        require(bench.terminal.set_terminal_key(_RIGHT.terminal.reference), OK)
        answer = bench.terminal.get_challenge(le=size)
        require(answer, *BAD_FORM)
        assert not answer.data
        signature = bench.sign(_RIGHT.terminal, bytes(size))
        require(bench.terminal.external_authenticate(signature), *REFUSED)
        bench.start().present(*_CHAIN)
        require(bench.terminal.set_terminal_key(_RIGHT.terminal.reference), OK)
        challenge = require(bench.terminal.get_challenge(), OK).data
        signature = bench.sign(_RIGHT.terminal, challenge[:size])
        require(bench.terminal.external_authenticate(signature), 0x6300)
        _check_no_rights(bench)


def _no_challenge() -> None:
    for challenge in (b"", bytes(8)):
        bench = _start()
        require(bench.terminal.set_terminal_key(_RIGHT.terminal.reference), OK)
        signature = bench.sign(_RIGHT.terminal, challenge)
        require(bench.terminal.external_authenticate(signature), *REFUSED)
        _check_no_rights(bench)
    # A challenge serves for the next command alone.
    bench = _start()
    require(bench.terminal.set_terminal_key(_RIGHT.terminal.reference), OK)
    challenge = require(bench.terminal.get_challenge(), OK).data
    require(bench.terminal.read_short(EF_COM & 0x1F), OK)
    signature = bench.sign(_RIGHT.terminal, challenge)
    require(bench.terminal.external_authenticate(signature), *REFUSED)
    _check_no_rights(bench)


def _no_key_selected() -> None:
    bench = _start()
    challenge = require(bench.terminal.get_challenge(), OK, *REFUSED)
    signature = bench.sign(_RIGHT.terminal, challenge.data)
    require(bench.terminal.external_authenticate(signature), *REFUSED)
    _check_no_rights(bench)


def _wrong_structure() -> None:
    reference = _RIGHT.terminal.reference
    right = tlv.encode(0x83, reference)
    for data in (
        b"",
        reference,
        tlv.encode(0x84, reference),
        tlv.encode(0x83, tlv.encode(0x83, reference)),
        right[:-1],
        right + right,
        right + b"\x00",
        right + tlv.encode(0x99, b"\x01"),
        tlv.encode(0x80, b"\x00") + right,
    ):
        bench = _start()
        answer = bench.terminal.send("002281A4", data)
        require(answer, *BAD_FORM)
        challenge = require(bench.terminal.get_challenge(), OK).data
        signature = bench.sign(_RIGHT.terminal, challenge)
        require(bench.terminal.external_authenticate(signature), *REFUSED)
        _check_no_rights(bench)
    for header in ("002201A4", "002281A6", "0022C1B6"):
        bench = _start()
        require(bench.terminal.send(header, right), *BAD_FORM)
        challenge = require(bench.terminal.get_challenge(), OK).data
        signature = bench.sign(_RIGHT.terminal, challenge)
        require(bench.terminal.external_authenticate(signature), *REFUSED)
        _check_no_rights(bench)


def _application_reset() -> None:
    bench = Bench().start().prove_terminal(*_CHAIN)
    bench.check_rights(dg3=True, dg4=True)
    require(bench.terminal.select_application(), OK)
    _check_no_rights(bench)
    # The same out of secure messaging ends everything.
    bench.start().prove_terminal(*_CHAIN)
    require(bench.terminal.plain("00A4040C", bytes.fromhex("A0000002471001")), OK, *NOT_SECURED)
    bench.check_ended()
    # A new session begins without the rights of the last one.
    bench.start().prove_terminal(*_CHAIN)
    bench.start()
    _check_no_rights(bench)


def _reading_and_active_authentication_between() -> None:
    bench = Bench().start()
    bench.check_alive()
    require(bench.terminal.read_short(0x0E), OK)
    signature = require(bench.terminal.send("00880000", bytes(8), le=256), OK).data
    assert len(signature) == 64
    bench.prove_terminal(*_CHAIN)
    bench.check_rights(dg3=True, dg4=True)


def _wrong_binding() -> None:
    """Signed for another identity of the chip: another run's key, the document number of BAC, nothing, a whole point."""
    bench = Bench().start()
    other = bench.terminal.chip_pace_key
    number = INFORMATION[:10].encode()
    for name in (other, number, b"", None):
        bench.start().present(*_CHAIN)
        driver = bench.terminal
        right = driver.chip_pace_key
        assert right != other
        identity = b"\x04" + right if name is None else name

        def message(challenge: bytes, identity: bytes = identity) -> bytes:
            return identity + challenge + bench.terminal.terminal_chip_authentication_key

        require(bench.authenticate(_RIGHT.terminal, message=message), 0x6300)
        _check_no_rights(bench)
    # Not bound to the keys of chip authentication it is no better.
    bench.start().present(*_CHAIN)
    require(
        bench.authenticate(
            _RIGHT.terminal, message=lambda challenge: bench.terminal.chip_pace_key + challenge
        ),
        0x6300,
    )
    _check_no_rights(bench)


_NO_RIGHTS = "no file is opened by it"
CASES = (
    Case(
        id="ISO7816_K_1",
        shows="a domestic and a foreign terminal prove their keys and read EF.DG3, EF.DG4 and EF.DG13",
        run=_positive,
    ),
    Case(
        id="ISO7816_K_2",
        shows="MSE:Set AT with a reference that is no verified terminal's is refused",
        run=_wrong_reference,
    ),
    Case(
        id="ISO7816_K_4",
        shows="MSE:Set AT, GET CHALLENGE or EXTERNAL AUTHENTICATE in plain end the session",
        run=_without_secure_messaging,
    ),
    Case(
        id="ISO7816_K_5",
        shows=f"a verifier that proves its own key is no terminal: {_NO_RIGHTS}",
        run=_key_of((_RIGHT.verifier,), _RIGHT.verifier),
    ),
    Case(
        id="ISO7816_K_6",
        shows=f"a root that proves its own key is no terminal: {_NO_RIGHTS}",
        run=_key_of((), ROOT),
    ),
    Case(
        id="ISO7816_K_7",
        shows="EXTERNAL AUTHENTICATE under a wrong class byte is refused and ends the session",
        run=_wrong_class,
    ),
    Case(
        id="ISO7816_K_10",
        shows="of two challenges the first is void: a signature over it is refused",
        run=_first_of_two_challenges,
    ),
    Case(
        id="ISO7816_K_12",
        shows="the card gives no challenge of fewer than eight bytes and takes no signature over a part",
        run=_short_challenge,
    ),
    Case(
        id="ISO7816_K_14",
        shows="EXTERNAL AUTHENTICATE is refused without a challenge right before it",
        run=_no_challenge,
    ),
    Case(
        id="ISO7816_K_15",
        shows="EXTERNAL AUTHENTICATE is refused where MSE:Set AT selected no key",
        run=_no_key_selected,
    ),
    Case(
        id="ISO7816_K_17",
        shows="MSE:Set AT with missing, double, foreign or cut objects, or other parameters, is refused",
        run=_wrong_structure,
    ),
    Case(
        id="ISO7816_K_18",
        shows="the application selected anew, in the session or in plain, has no rights of a terminal",
        run=_application_reset,
    ),
    Case(
        id="ISO7816_K_19",
        shows="reading and active authentication between chip and terminal authentication do no harm",
        run=_reading_and_active_authentication_between,
    ),
    Case(
        id="ISO7816_K_20",
        shows="a signature bound to another key of PACE, or to the document number, is refused",
        run=_wrong_binding,
    ),
)
