"""The rows of the chips' catalogue: every case that there is a vector for, and why the others have none."""

from chip_vectors import (
    unit_h,
    unit_j_certificates,
    unit_j_chains,
    unit_k,
    unit_l,
    unit_lds_biometric,
    unit_lds_security,
    unit_m,
)
from chip_vectors.bench import Case, by_id
from conformance_vectors.ids_chip import IDS, SUITE
from conformance_vectors.table import Row, State, vector_name

FILE = "test_conformance_chip.py"
TEST = "test_the_chip_does_what_the_case_asks"

CASES: dict[str, Case] = by_id(
    (
        *unit_h.CASES,
        *unit_j_certificates.CASES,
        *unit_j_chains.CASES,
        *unit_k.CASES,
        *unit_l.CASES,
        *unit_m.CASES,
        *unit_lds_biometric.CASES,
        *unit_lds_security.CASES,
    )
)


_DELETED = "deleted in this version of the catalogue; there is no title that says what it tested"
NOT_APPLICABLE: dict[str, str] = dict.fromkeys(
    (
        "ISO7816_J_14",
        "ISO7816_J_16",
        "ISO7816_J_42",
        "ISO7816_K_3",
        "ISO7816_K_8",
        "ISO7816_K_9",
        "ISO7816_K_11",
        "ISO7816_K_13",
        "ISO7816_K_16",
        "LDS_E_1",
        "LDS_E_3",
        "LDS_E_4",
    ),
    _DELETED,
)

_BY = "title and TR-03110"
_TITLE_ONLY = frozenset(
    {
        "ISO7816_H_1",
        "ISO7816_J_1",
        "ISO7816_J_54",
        "ISO7816_K_1",
        "ISO7816_L_1",
        "ISO7816_N_1",
        "LDS_G_05",
        "LDS_H_3",
    }
)


def _row(case_id: str) -> Row:
    if case_id in CASES:
        vector = vector_name(FILE, TEST, case_id)
        by = "the title, the catalogue has no more" if case_id in _TITLE_ONLY else _BY
        reason = f"{CASES[case_id].shows} (decided by {by})"
        return Row(suite=SUITE, id=case_id, state=State.COVERED, vector=vector, reason=reason)
    if case_id in NOT_APPLICABLE:
        state, reason = State.NOT_APPLICABLE, NOT_APPLICABLE[case_id]
    else:
        state, reason = State.OPEN, "no vector yet"
    return Row(suite=SUITE, id=case_id, state=state, vector="", reason=reason)


ROWS = tuple(_row(case_id) for case_id in IDS)
