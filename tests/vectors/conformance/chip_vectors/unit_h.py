"""Unit H: what can be reached before a terminal has authenticated itself, and EF.CVCA (TR-03110-1, 3.2; 9303-10, 3.6)."""

from collections.abc import Callable

from chip_vectors.bench import NO_ACCESS, OK, Bench, Case
from chip_vectors.documents import DG3_FILE, DG4_FILE, EF_CVCA, ROOT, document, trust_point_file
from chip_vectors.driver import Answer, Driver, require

from card_layout import tlv

SHORT_CVCA = 0x1C
Read = Callable[[Driver], Answer]


def _select(identifier: int) -> Read:
    """SELECT, and READ BINARY where that was let through: a chip may refuse either (9303-10, 3.6.3)."""

    def ask(terminal: Driver) -> Answer:
        answer = terminal.select_file(identifier)
        return answer if answer.status != OK else terminal.send("00B00000", le=256)

    return ask


def _short(identifier: int) -> Read:
    return lambda terminal: terminal.read_short(identifier & 0x1F)


def _odd_short(identifier: int) -> Read:
    return lambda terminal: terminal.read_odd(identifier & 0x1F)


def _odd(identifier: int) -> Read:
    return lambda terminal: terminal.read_odd(identifier)


def _before_terminal(case_id: str, read: Read, shows: str) -> Case:
    """A protected file in a session without terminal authentication, chip proven or not, by PACE and by BAC."""

    def run() -> None:
        for bench in (
            Bench().open(),
            Bench().start(),
            Bench(document(has_bac=True)).open(bac=True),
        ):
            answer = require(read(bench.terminal), *NO_ACCESS)
            assert answer.is_protected
            assert not answer.data
            bench.check_alive()
            bench.check_rights(dg3=False, dg4=False)

    return Case(id=case_id, shows=shows, run=run)


def _trust_points_without_session(case_id: str, read: Read, shows: str) -> Case:
    def run() -> None:
        bench = Bench()
        require(bench.terminal.select_application(), OK)
        answer = require(read(bench.terminal), *NO_ACCESS)
        assert not answer.data

    return Case(id=case_id, shows=shows, run=run)


def _trust_points_in_session(case_id: str, read: Read, shows: str) -> Case:
    def run() -> None:
        for bench in (Bench().open(), Bench(document(has_bac=True)).open(bac=True)):
            answer = require(read(bench.terminal), OK)
            assert answer.is_protected
            data = answer.data
            if data[0] == 0x53:
                data = tlv.parse(data, expected_tag=0x53).value
            assert data == trust_point_file(ROOT.reference)
            bench.check_alive()

    return Case(id=case_id, shows=shows, run=run)


_SESSION = "in a session by PACE or BAC, chip proven or not, without terminal authentication"
CASES = (
    _before_terminal(
        "ISO7816_H_1", _select(DG3_FILE), f"SELECT and READ BINARY do not give EF.DG3 {_SESSION}"
    ),
    _before_terminal(
        "ISO7816_H_2", _select(DG4_FILE), f"SELECT and READ BINARY do not give EF.DG4 {_SESSION}"
    ),
    _before_terminal(
        "ISO7816_H_3", _short(DG3_FILE), f"its short identifier does not give EF.DG3 {_SESSION}"
    ),
    _before_terminal(
        "ISO7816_H_4", _short(DG4_FILE), f"its short identifier does not give EF.DG4 {_SESSION}"
    ),
    _before_terminal(
        "ISO7816_H_5",
        _odd_short(DG3_FILE),
        f"the odd READ BINARY with its short identifier does not give EF.DG3 {_SESSION}",
    ),
    _before_terminal(
        "ISO7816_H_6",
        _odd_short(DG4_FILE),
        f"the odd READ BINARY with its short identifier does not give EF.DG4 {_SESSION}",
    ),
    _trust_points_without_session(
        "ISO7816_H_7", _select(EF_CVCA), "SELECT and READ BINARY do not give EF.CVCA in plain"
    ),
    _trust_points_without_session(
        "ISO7816_H_8", _short(SHORT_CVCA), "its short identifier does not give EF.CVCA in plain"
    ),
    _trust_points_without_session(
        "ISO7816_H_9",
        _odd_short(SHORT_CVCA),
        "the odd READ BINARY with its short identifier does not give EF.CVCA in plain",
    ),
    _trust_points_without_session(
        "ISO7816_H_10",
        _odd(EF_CVCA),
        "the odd READ BINARY with its file identifier does not give EF.CVCA in plain",
    ),
    _before_terminal(
        "ISO7816_H_11",
        _odd(DG3_FILE),
        f"the odd READ BINARY with its file identifier does not give EF.DG3 {_SESSION}",
    ),
    _before_terminal(
        "ISO7816_H_12",
        _odd(DG4_FILE),
        f"the odd READ BINARY with its file identifier does not give EF.DG4 {_SESSION}",
    ),
    _trust_points_in_session(
        "ISO7816_H_13", _select(EF_CVCA), "SELECT and READ BINARY give EF.CVCA in a session"
    ),
    _trust_points_in_session(
        "ISO7816_H_14", _short(SHORT_CVCA), "its short identifier gives EF.CVCA in a session"
    ),
    _trust_points_in_session(
        "ISO7816_H_15",
        _odd_short(SHORT_CVCA),
        "the odd READ BINARY with its short identifier gives EF.CVCA in a session",
    ),
    _trust_points_in_session(
        "ISO7816_H_16",
        _odd(EF_CVCA),
        "the odd READ BINARY with its file identifier gives EF.CVCA in a session",
    ),
)
