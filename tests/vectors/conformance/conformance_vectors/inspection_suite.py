"""The rows of the inspection systems' catalogue: every case that there is a vector for, and why the others have none."""

from conformance_vectors.algorithm_cases import ALGORITHM_CASES
from conformance_vectors.bench import Case
from conformance_vectors.biometric_cases import FINGER_CASES, IRIS_CASES, PORTRAIT_CASES
from conformance_vectors.chip_cases import (
    ACTIVE_AUTHENTICATION_CASES,
    CARD_SECURITY_CASES,
    CHIP_AUTHENTICATION_CASES,
)
from conformance_vectors.common_data_cases import COMMON_DATA_CASES
from conformance_vectors.ids_inspection import IDS, SUITE
from conformance_vectors.inspection_open import NOT_APPLICABLE, OPEN
from conformance_vectors.machine_readable_zone_cases import MACHINE_READABLE_ZONE_CASES
from conformance_vectors.pace_cases import PACE_CASES
from conformance_vectors.reading_cases import (
    BASIC_ACCESS_CASES,
    LENGTH_CASES,
    READING_CASES,
    SECURE_MESSAGING_CASES,
)
from conformance_vectors.security_object_cases import SECURITY_OBJECT_CASES
from conformance_vectors.signer_cases import SIGNER_CASES
from conformance_vectors.table import Row, State, vector_name
from conformance_vectors.terminal_cases import TERMINAL_CASES, TRUST_POINT_CASES
from conformance_vectors.terminal_store_cases import TERMINAL_STORE_CASES

FILE = "test_conformance_inspection.py"
TEST = "test_the_verdict_is_the_one_owed"

CASES: dict[str, Case] = {
    **BASIC_ACCESS_CASES,
    **SECURE_MESSAGING_CASES,
    **READING_CASES,
    **LENGTH_CASES,
    **CHIP_AUTHENTICATION_CASES,
    **TERMINAL_CASES,
    **TERMINAL_STORE_CASES,
    **TRUST_POINT_CASES,
    **ACTIVE_AUTHENTICATION_CASES,
    **CARD_SECURITY_CASES,
    **PACE_CASES,
    **COMMON_DATA_CASES,
    **MACHINE_READABLE_ZONE_CASES,
    **PORTRAIT_CASES,
    **FINGER_CASES,
    **IRIS_CASES,
    **SECURITY_OBJECT_CASES,
    **ALGORITHM_CASES,
    **SIGNER_CASES,
}

BY_LEAVE = tuple(name for name, case in CASES.items() if "allow_other_signatures" in case.reason)
"""What is accepted only because the policy of the vector names it."""


def _row(case_id: str) -> Row:
    state, vector = State.OPEN, ""
    if case_id in CASES:
        state, vector = State.COVERED, vector_name(FILE, TEST, case_id)
        reason = CASES[case_id].reason
    elif case_id in NOT_APPLICABLE:
        state, reason = State.NOT_APPLICABLE, NOT_APPLICABLE[case_id]
    else:
        reason = OPEN.get(case_id, "no vector yet")
    return Row(suite=SUITE, id=case_id, state=state, vector=vector, reason=reason)


ROWS = tuple(_row(case_id) for case_id in IDS)
