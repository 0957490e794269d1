"""Unit J, second half: who may certify whom, and what a valid chain leaves behind (TR-03110-3, 2.2, 2.5 and C.4)."""

from dataclasses import replace

from chip_vectors import cv_certificates
from chip_vectors.bench import BAD_FORM, OK, REFUSED, Bench, Case
from chip_vectors.cv_certificates import FOREIGN, POINT, Draft
from chip_vectors.documents import (
    EF_CVCA,
    ROOT,
    TODAY,
    authority,
    document,
    hierarchy,
    terminal,
    trust_point_file,
    verifier,
)
from chip_vectors.driver import require

_RIGHT = hierarchy()
_FOREIGN = "XXVERIFYX0001"
_TERMINAL = "VNTERMINV0001"


def _positive() -> None:
    """Domestic and foreign; each in one extended command, and cut into a chain of short ones."""
    for above, below in (
        (_RIGHT.verifier, _RIGHT.terminal),
        (_RIGHT.foreign_verifier, _RIGHT.foreign_terminal),
    ):
        for part_bytes in (None, 100, 255):
            bench = Bench().start()
            for draft in (above, below):
                require(bench.terminal.set_trust_point(draft.authority), OK)
                require(bench.terminal.verify_certificate(draft.content, part_bytes=part_bytes), OK)
            bench.check_alive()
            require(bench.terminal.set_terminal_key(below.reference), OK)


def _foreign_date() -> None:
    bench = Bench().start().present(_RIGHT.foreign_verifier, _RIGHT.foreign_terminal)
    bench.check_date("20260201")


def _temporary_keys() -> None:
    """A reset, and every way to a new session, forget the verified keys; the root's is still there."""
    right = _RIGHT
    bench = Bench().start().present(right.verifier)
    for restart in (bench.start, lambda: bench.start().start()):
        restart()
        require(bench.terminal.set_trust_point(right.verifier.reference), *REFUSED)
        require(bench.terminal.verify_certificate(right.terminal.content), *REFUSED)
        require(bench.terminal.set_trust_point(ROOT.reference), OK)
    bench.start().present(right.verifier, right.terminal)
    bench.start()
    require(bench.authenticate(right.terminal), *REFUSED)
    bench.check_rights(dg3=False, dg4=False)


def _transition(case_id: str, shows: str, above: tuple[Draft, ...], below: Draft) -> Case:
    """A right signature by a key that may not certify such a holder."""

    def run() -> None:
        bench = Bench().start().present(*above)
        before = bench.card.image
        answer = require(bench.try_certificate(below), *REFUSED, *BAD_FORM)
        assert answer.is_protected
        bench.check_alive()
        require(bench.terminal.set_trust_point(below.reference), *REFUSED)
        require(bench.authenticate(below), *REFUSED)
        bench.check_rights(dg3=False, dg4=False)
        # Neither trust points nor the date know of it.
        assert bench.card.image == before
        application = bench.terminal.read_short(EF_CVCA & 0x1F)
        roots = (below.authority, ROOT.reference) if _is_link(above) else (ROOT.reference,)
        assert require(application, OK).data == trust_point_file(*roots)

    return Case(id=case_id, shows=shows, run=run)


def _is_link(above: tuple[Draft, ...]) -> bool:
    return bool(above) and above[0].reference.startswith(b"VNCVCATV")


def _root_of(signer: str) -> Draft:
    """A root's certificate that somebody else signed; its holder's name is that of the next key."""
    return replace(authority(2, signed_by=1), signed_by=signer).having(
        cv_certificates.CAR, signer.encode()
    )


def _below(signer: str, *, role: int) -> Draft:
    return verifier(reference="VNANOTHRV0001", authority=signer, role=role)


def _short_terminal() -> None:
    """The point cut, or of a shorter curve."""
    right = _RIGHT.terminal
    for point in (dict(right.key_objects)[POINT][:-1], b"\x04" + bytes(range(1, 49))):
        bench = Bench(document()).start().present(_RIGHT.verifier)
        short = right.with_key_object(POINT, point)
        answer = require(bench.try_certificate(short), *REFUSED, *BAD_FORM)
        assert answer.is_protected
        require(bench.authenticate(short), *REFUSED)
        bench.check_rights(dg3=False, dg4=False)
        bench.check_date(TODAY)


_DOMESTIC_CHAIN = (_RIGHT.verifier, _RIGHT.terminal)
_DV = _RIGHT.verifier.reference.decode()

CASES = (
    Case(
        id="ISO7816_J_1",
        shows="a domestic and a foreign chain of right certificates are taken, in extended commands and in chains of short ones",
        run=_positive,
    ),
    Case(
        id="ISO7816_J_11",
        shows="a foreign terminal's certificate does not move the date; its verifier's, in a valid chain, does",
        run=_foreign_date,
    ),
    Case(
        id="ISO7816_J_22",
        shows="keys of verifiers and terminals are gone with the session, the root's is not",
        run=_temporary_keys,
    ),
    _transition(
        "ISO7816_J_43",
        "a root certifies no terminal",
        (),
        terminal(authority=ROOT.reference.decode()),
    ),
    _transition(
        "ISO7816_J_44",
        "a domestic verifier certifies no root: trust points and EF.CVCA stay",
        (_RIGHT.verifier,),
        _root_of(_DV),
    ),
    _transition(
        "ISO7816_J_45",
        "a foreign verifier certifies no root: trust points and EF.CVCA stay",
        (_RIGHT.foreign_verifier,),
        _root_of(_FOREIGN),
    ),
    _transition(
        "ISO7816_J_46",
        "a domestic verifier certifies no domestic verifier",
        (_RIGHT.verifier,),
        _below(_DV, role=cv_certificates.DOMESTIC),
    ),
    _transition(
        "ISO7816_J_47",
        "a domestic verifier certifies no foreign verifier",
        (_RIGHT.verifier,),
        _below(_DV, role=FOREIGN),
    ),
    _transition(
        "ISO7816_J_48",
        "a foreign verifier certifies no domestic verifier",
        (_RIGHT.foreign_verifier,),
        _below(_FOREIGN, role=cv_certificates.DOMESTIC),
    ),
    _transition(
        "ISO7816_J_49",
        "a foreign verifier certifies no foreign verifier",
        (_RIGHT.foreign_verifier,),
        _below(_FOREIGN, role=FOREIGN),
    ),
    _transition(
        "ISO7816_J_50",
        "a terminal certifies no foreign verifier",
        _DOMESTIC_CHAIN,
        _below(_TERMINAL, role=FOREIGN),
    ),
    _transition(
        "ISO7816_J_51",
        "a terminal certifies no domestic verifier",
        _DOMESTIC_CHAIN,
        _below(_TERMINAL, role=cv_certificates.DOMESTIC),
    ),
    _transition(
        "ISO7816_J_52",
        "a terminal certifies no other terminal",
        _DOMESTIC_CHAIN,
        terminal(reference="VNANOTHRT0001", authority=_TERMINAL),
    ),
    _transition(
        "ISO7816_J_53",
        "a terminal certifies no root: trust points and EF.CVCA stay",
        _DOMESTIC_CHAIN,
        _root_of(_TERMINAL),
    ),
    _transition(
        "ISO7816_J_54",
        "a root that a link made known certifies no terminal",
        (authority(2, signed_by=1),),
        terminal(authority="VNCVCATV00002"),
    ),
    Case(
        id="ISO7816_J_56",
        shows="a terminal's public key that is shorter than its curve's is refused",
        run=_short_terminal,
    ),
)
