"""Units M and N: the current date, trust points and links, EF.CVCA, new algorithms (TR-03110-3, 2.5 and A.6.4)."""

from dataclasses import replace

from chip_vectors import cv_certificates, documents
from chip_vectors.bench import OK, REFUSED, Bench, Case
from chip_vectors.cv_certificates import Draft
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

from card_layout.curves import NamedCurve

_SECOND = authority(2, signed_by=1, effective="20260110", expires="20290109")
_THIRD = authority(3, signed_by=2, effective="20260120", expires="20290119")


def _chain_under(number: int) -> tuple[Draft, Draft]:
    """A verifier and a terminal under a root's key."""
    return (
        verifier(reference=f"VNVERIFYV{number:04d}", authority=f"VNCVCATV{number:05d}"),
        terminal(reference=f"VNTERMINV{number:04d}", authority=f"VNVERIFYV{number:04d}"),
    )


def _check_trust_points(bench: Bench, *references: bytes) -> None:
    """EF.CVCA names these, newest first, in this and in a new session, and every one of them can be selected."""
    for restart in (False, True):
        if restart:
            bench.start()
        answer = require(bench.terminal.read_short(EF_CVCA & 0x1F), OK)
        assert answer.data == trust_point_file(*references)
    for reference in references:
        require(bench.terminal.set_trust_point(reference), OK)


def _date_by_terminal() -> None:
    right = hierarchy()
    bench = Bench().start().present(right.verifier)
    assert bench.card.image.current_date == TODAY
    bench.present(right.terminal)
    bench.check_date("20260210")
    # A chain that no day sees valid as a whole moves nothing: its terminal begins after its verifier's end.
    ended = verifier(effective="20260201", expires="20260215")
    later = terminal(effective="20260216", expires="20260315")
    bench.start().present(ended)
    require(bench.try_certificate(later), *REFUSED)
    require(bench.authenticate(later), *REFUSED)
    assert bench.card.image.current_date == "20260210"
    # It never goes back.
    earlier = terminal(effective="20251201", expires="20261231")
    bench.start().present(right.verifier, earlier)
    bench.check_date("20260210")


def _date_by_verifier() -> None:
    above = verifier(effective="20260210", expires="20260430")
    below = terminal(effective="20251201", expires="20260331")
    bench = Bench().start().present(above)
    # This card waits for the whole chain, so that nobody moves its date with half of one.
    assert bench.card.image.current_date == TODAY
    bench.present(below)
    bench.check_date("20260210")
    # From then on a verifier that ended before is refused at once.
    bench.start()
    require(bench.try_certificate(verifier(effective="20251201", expires="20260209")), *REFUSED)
    require(bench.try_certificate(verifier(effective="20251201", expires="20260210")), OK)


def _one_link() -> None:
    bench = Bench().start().present(_SECOND)
    _check_trust_points(bench, _SECOND.reference, ROOT.reference)
    bench.start().prove_terminal(*_chain_under(2))
    bench.check_rights(dg3=True, dg4=True)
    # The old key is still good.
    bench.start().prove_terminal(*_chain_under(1))
    bench.check_rights(dg3=True, dg4=True)
    # A root's key that ended on the card's date certifies nobody but its successor (TR-03110-3, 2.5).
    late = Bench(replace(document(), current_date="20281201")).start()
    above = verifier(effective="20281101", expires="20290131")
    require(late.try_certificate(above), *REFUSED)
    late.present(_SECOND)
    above = verifier(authority="VNCVCATV00002", effective="20281101", expires="20290131")
    late.present(above)


def _two_links() -> None:
    bench = Bench().start().present(_SECOND, _THIRD)
    _check_trust_points(bench, _THIRD.reference, _SECOND.reference)
    require(bench.terminal.set_trust_point(ROOT.reference), *REFUSED)
    bench.start().prove_terminal(*_chain_under(3))
    bench.check_rights(dg3=True, dg4=True)
    bench.start().prove_terminal(*_chain_under(2))
    bench.start()
    require(bench.try_certificate(_chain_under(1)[0]), *REFUSED)
    # A link that leads back is no way to the old key.
    require(bench.try_certificate(authority(1, signed_by=3)), OK, *REFUSED)


def _no_terminal_under_links() -> None:
    for signer in (1, 2):
        bench = Bench().start().present(_SECOND)
        below = terminal(authority=f"VNCVCATV{signer:05d}")
        answer = require(bench.try_certificate(below), *REFUSED)
        assert answer.is_protected
        require(bench.authenticate(below), *REFUSED)
        bench.check_rights(dg3=False, dg4=False)
        assert bench.card.image.current_date in (TODAY, "20260110")


def _sane_file() -> None:
    """36 bytes, one or two references, newest first, zeros behind; the same whatever the terminal does but links."""
    bench = Bench().start()
    _check_trust_points(bench, ROOT.reference)
    bench.start().prove_terminal(*_chain_under(1))
    _check_trust_points(bench, ROOT.reference)
    wrong = authority(2, signed_by=1).signed(lambda _: bytes(range(1, 65)))
    require(bench.try_certificate(wrong), *REFUSED)
    _check_trust_points(bench, ROOT.reference)
    bench.start().present(_SECOND)
    _check_trust_points(bench, _SECOND.reference, ROOT.reference)
    # Another key under a name that the card trusts is not taken.
    for signer in (1, 2):
        other = replace(_SECOND, signed_by=f"VNCVCATV{signer:05d}").having(
            cv_certificates.CAR, f"VNCVCATV{signer:05d}".encode()
        )
        point = dict(_THIRD.key_objects)[cv_certificates.POINT]
        bench.start()
        require(
            bench.try_certificate(other.with_key_object(cv_certificates.POINT, point)), *REFUSED
        )
        _check_trust_points(bench, _SECOND.reference, ROOT.reference)
    # The same link again changes nothing.
    bench.start().present(_SECOND)
    _check_trust_points(bench, _SECOND.reference, ROOT.reference)
    bench.present(_THIRD)
    _check_trust_points(bench, _THIRD.reference, _SECOND.reference)


def _migration() -> None:
    """A link to a key on another curve with another hash; terminals under it use both."""
    longer = cv_certificates.ECDSA_SHA_384
    for curve in (NamedCurve.SECP384R1, NamedCurve.BRAINPOOLP384R1):
        link = authority(4, signed_by=1, curve=curve, algorithm=longer)
        above = verifier(
            reference="VNVERIFYV0004",
            authority="VNCVCATV00004",
            curve=curve,
            algorithm=longer,
            signing_curve=curve,
            signing_algorithm=longer,
        )
        below = terminal(
            reference="VNTERMINV0004", authority="VNVERIFYV0004", curve=curve, algorithm=longer
        )
        bench = Bench().start().present(link)
        bench.start().prove_terminal(above, below)
        bench.check_rights(dg3=True, dg4=True)
        assert bench.may_read(documents.DG13_FILE & 0x1F)


CASES = (
    Case(
        id="ISO7816_M_1",
        shows="a domestic terminal's certificate in a valid chain moves the date to its effective date, never back",
        run=_date_by_terminal,
    ),
    Case(
        id="ISO7816_M_2",
        shows="a verifier's certificate moves the date to its effective date, on this card once its chain is whole",
        run=_date_by_verifier,
    ),
    Case(
        id="ISO7816_M_3",
        shows="a link makes the new root's key known beside the old one, and lasts",
        run=_one_link,
    ),
    Case(
        id="ISO7816_M_4",
        shows="a second link makes the third key known, and the first is forgotten",
        run=_two_links,
    ),
    Case(
        id="ISO7816_M_5",
        shows="neither the old nor the new root's key certifies a terminal directly",
        run=_no_terminal_under_links,
    ),
    Case(
        id="ISO7816_M_6",
        shows="EF.CVCA has 36 bytes: one or two references, the newest first, and changes with links alone",
        run=_sane_file,
    ),
    Case(
        id="ISO7816_N_1",
        shows="a link to P-384 or brainpoolP384r1 with SHA-384 leads terminals under it to the files",
        run=_migration,
    ),
)
