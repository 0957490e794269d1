"""Unit L: which rights a terminal has, and that no second way in keeps them (TR-03110-3, 2.7, C.4; 9303-11, 4.2)."""

from collections.abc import Callable
from dataclasses import replace

from chip_vectors import documents
from chip_vectors.bench import OK, REFUSED, Bench, Case
from chip_vectors.cv_certificates import DG3, DG4
from chip_vectors.documents import INFORMATION, document, hierarchy
from chip_vectors.driver import PIN, require

_BOTH = DG3 | DG4
_RIGHT = hierarchy()
_CHAIN = (_RIGHT.verifier, _RIGHT.terminal)


def _rights(verifier: int, terminal: int, *, dg3: bool, dg4: bool) -> Callable[[], None]:
    """The conjunction decides; where no extension names files, the template's bits are all there is."""

    def run() -> None:
        for files in (None, 0, documents.DG13):
            granted = hierarchy(verifier_rights=verifier, terminal_rights=terminal, files=files)
            for chain in (
                (granted.verifier, granted.terminal),
                (granted.foreign_verifier, granted.foreign_terminal),
            ):
                bench = Bench().start().prove_terminal(*chain)
                bench.check_alive()
                bench.check_rights(dg3=dg3, dg4=dg4)
                assert bench.may_read(0x0D) is (files == documents.DG13)

    return run


def _without_proof(*, dg3: bool) -> Callable[[], None]:
    """A valid chain alone; nor with the key selected, nor with the challenge drawn."""

    def run() -> None:
        rights = DG3 if dg3 else DG4
        granted = hierarchy(verifier_rights=rights, terminal_rights=rights)
        bench = Bench().start().present(granted.verifier, granted.terminal)
        bench.check_rights(dg3=False, dg4=False)
        bench.start().present(granted.verifier, granted.terminal)
        require(bench.terminal.set_terminal_key(granted.terminal.reference), OK)
        bench.check_rights(dg3=False, dg4=False)
        bench.start().present(granted.verifier, granted.terminal)
        require(bench.terminal.set_terminal_key(granted.terminal.reference), OK)
        require(bench.terminal.get_challenge(), OK)
        bench.check_rights(dg3=False, dg4=False)
        bench.check_alive()

    return run


def _failed_proof(*, dg3: bool) -> Callable[[], None]:
    """Another key's signature, one of the wrong length, none."""

    def run() -> None:
        rights = DG3 if dg3 else DG4
        granted = hierarchy(verifier_rights=rights, terminal_rights=rights)
        bench = Bench().start().present(granted.verifier, granted.terminal)
        require(bench.authenticate(granted.terminal, key_name="somebody else"), 0x6300)
        bench.check_rights(dg3=False, dg4=False)
        for signature in (b"", bytes(64), bytes(63), b"\xff" * 64):
            bench.start().present(granted.verifier, granted.terminal)
            require(bench.terminal.set_terminal_key(granted.terminal.reference), OK)
            require(bench.terminal.get_challenge(), OK)
            require(bench.terminal.external_authenticate(signature), *REFUSED, 0x6700)
            bench.check_rights(dg3=False, dg4=False)
            bench.check_alive()
        # What was wrong once does not shut the terminal out.
        bench.start().prove_terminal(granted.verifier, granted.terminal)
        bench.check_rights(dg3=dg3, dg4=not dg3)

    return run


def _check_no_way_back(bench: Bench) -> None:
    """After the second way in was tried: either the rights stay with the session of the terminal, or they are gone."""
    if bench.terminal.session is None:
        bench.check_ended()
    else:
        bench.check_rights(dg3=False, dg4=False)


def _basic_access_after_terminal() -> None:
    """BAC inside the session of the terminal, and in plain beside it."""
    for is_plain in (False, True):
        bench = Bench(document(has_bac=True)).start().prove_terminal(*_CHAIN)
        if is_plain:
            bench.terminal.session = None
            require(bench.terminal.select_application(), OK, 0x6987)
        answer = bench.terminal.perform_bac(INFORMATION)
        if not is_plain:
            assert answer.status != OK
            assert answer.is_protected
            bench.check_alive()
            continue
        _check_no_way_back(bench)


def _pace_after_terminal() -> None:
    """PACE inside the session, in the application and in the master file, and in plain beside it."""
    can = documents.CAN_TEXT.encode()
    for place in ("application", "master file", "plain"):
        bench = Bench().start().prove_terminal(*_CHAIN)
        if place == "master file":
            require(bench.terminal.select_master_file(), OK)
        if place == "plain":
            bench.terminal.session = None
            # The first plain command ends the session; the run that follows is a new one.
            require(bench.terminal.select_master_file(), OK, 0x6987)
            require(bench.terminal.select_master_file(), OK)
        answer = bench.terminal.perform_pace(can)
        if place == "plain":
            require(answer, OK)
        else:
            assert answer.status != OK
            assert answer.is_protected
        if bench.terminal.session is not None and place != "application":
            require(bench.terminal.select_application(), OK)
            _check_no_way_back(bench)


def _pin_after_terminal() -> None:
    """PACE that a session does carry, the PIN's after the CAN: it begins anew, without chip and without terminal."""
    image = document()
    image = replace(image, secrets=replace(image.secrets, pin="654321", pin_tries_left=1))
    bench = Bench(image).start().prove_terminal(*_CHAIN)
    require(bench.terminal.select_master_file(), OK)
    require(bench.terminal.perform_pace(b"654321", PIN), OK)
    require(bench.terminal.select_application(), OK)
    bench.check_rights(dg3=False, dg4=False)
    require(bench.terminal.set_trust_point(_CHAIN[0].authority), *REFUSED)
    bench.prove_chip().prove_terminal(*_CHAIN)
    bench.check_rights(dg3=True, dg4=True)


def _second_pace() -> None:
    _pace_after_terminal()
    _pin_after_terminal()


def _basic_access_after_pace_and_terminal() -> None:
    """On a card with both: the session of BAC that follows has no rights, and no terminal can prove itself in it."""
    bench = Bench(document(has_bac=True)).start().prove_terminal(*_CHAIN)
    bench.check_rights(dg3=True, dg4=True)
    bench.terminal.session = None
    require(bench.terminal.select_application(), 0x6987)
    require(bench.terminal.select_application(), OK)
    require(bench.terminal.perform_bac(INFORMATION), OK)
    bench.check_rights(dg3=False, dg4=False)
    bench.prove_chip()
    require(bench.try_certificate(_RIGHT.verifier), *REFUSED)
    bench.check_rights(dg3=False, dg4=False)


def _pace_after_basic_access() -> None:
    """On a card with both: no terminal proves itself after BAC, PACE in that session is refused, rights come by PACE."""
    bench = Bench(document(has_bac=True)).open(bac=True).prove_chip()
    require(bench.try_certificate(_RIGHT.verifier), *REFUSED)
    bench.check_rights(dg3=False, dg4=False)
    require(bench.terminal.select_master_file(), OK)
    answer = bench.terminal.perform_pace(documents.CAN_TEXT.encode())
    assert answer.status != OK
    assert answer.is_protected
    require(bench.terminal.select_application(), OK)
    bench.check_rights(dg3=False, dg4=False)
    bench.start().prove_terminal(*_CHAIN)
    bench.check_rights(dg3=True, dg4=True)


CASES = (
    Case(
        id="ISO7816_L_1",
        shows="verifier for both files, terminal for EF.DG3: EF.DG3 is read",
        run=_rights(_BOTH, DG3, dg3=True, dg4=False),
    ),
    Case(
        id="ISO7816_L_2",
        shows="verifier for both files, terminal for EF.DG3: EF.DG4 is not read in any way",
        run=_rights(_BOTH, DG3, dg3=True, dg4=False),
    ),
    Case(
        id="ISO7816_L_3",
        shows="verifier for both files, terminal for EF.DG4: EF.DG4 is read",
        run=_rights(_BOTH, DG4, dg3=False, dg4=True),
    ),
    Case(
        id="ISO7816_L_4",
        shows="verifier for both files, terminal for EF.DG4: EF.DG3 is not read in any way",
        run=_rights(_BOTH, DG4, dg3=False, dg4=True),
    ),
    Case(
        id="ISO7816_L_5",
        shows="verifier for EF.DG3, terminal for both files: EF.DG3 is read",
        run=_rights(DG3, _BOTH, dg3=True, dg4=False),
    ),
    Case(
        id="ISO7816_L_6",
        shows="verifier for EF.DG3, terminal for both files: EF.DG4 is not read in any way",
        run=_rights(DG3, _BOTH, dg3=True, dg4=False),
    ),
    Case(
        id="ISO7816_L_7",
        shows="verifier for EF.DG4, terminal for both files: EF.DG4 is read",
        run=_rights(DG4, _BOTH, dg3=False, dg4=True),
    ),
    Case(
        id="ISO7816_L_8",
        shows="verifier for EF.DG4, terminal for both files: EF.DG3 is not read in any way",
        run=_rights(DG4, _BOTH, dg3=False, dg4=True),
    ),
    Case(
        id="ISO7816_L_9",
        shows="a valid chain, a selected key and a challenge do not open EF.DG3 without the proof",
        run=_without_proof(dg3=True),
    ),
    Case(
        id="ISO7816_L_10",
        shows="a valid chain, a selected key and a challenge do not open EF.DG4 without the proof",
        run=_without_proof(dg3=False),
    ),
    Case(
        id="ISO7816_L_11",
        shows="a proof that fails does not open EF.DG3, and the next right one does",
        run=_failed_proof(dg3=True),
    ),
    Case(
        id="ISO7816_L_12",
        shows="a proof that fails does not open EF.DG4, and the next right one does",
        run=_failed_proof(dg3=False),
    ),
    Case(
        id="ISO7816_L_13",
        shows="after a terminal was authenticated BAC is refused in its session, and ends it in plain",
        run=_basic_access_after_terminal,
    ),
    Case(
        id="ISO7816_L_14",
        shows="a second PACE is refused in the terminal's session, and one in plain begins without rights",
        run=_second_pace,
    ),
    Case(
        id="ISO7816_L_15",
        shows="a session of BAC after one of PACE has no rights, and takes no certificate: ID_IC is never static",
        run=_basic_access_after_pace_and_terminal,
    ),
    Case(
        id="ISO7816_L_16",
        shows="after BAC no terminal is authenticated and PACE is refused in its session: ID_IC is never static",
        run=_pace_after_basic_access,
    ),
)
