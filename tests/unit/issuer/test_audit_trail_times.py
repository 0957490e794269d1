import io
import json

import pytest

from issuer.audit_files import read_trail
from issuer.errors import IssuerDataError


def trail(moment: str) -> io.BytesIO:
    head = {
        "format": "membercard audit trail 1",
        "trail": "00" * 16,
        "sequence": 1,
        "digest": "00" * 32,
    }
    record = {
        "sequence": 1,
        "at": moment,
        "account": "chi",
        "action": "request.endorsed",
        "subject": "request",
        "subject_id": "r-1",
        "organisation": None,
        "details": "{}",
        "digest": "00" * 32,
    }
    return io.BytesIO(f"{json.dumps(head)}\n{json.dumps(record)}\n".encode())


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-01-01T00:00:00", "today"],
)
def test_a_record_of_a_time_that_utc_does_not_have_is_refused(moment: str) -> None:
    _head, records = read_trail(trail("2026-01-01T07:00:00+07:00"))
    assert [record.at.isoformat() for record in records] == ["2026-01-01T00:00:00+00:00"]
    _head, records = read_trail(trail(moment))
    with pytest.raises(IssuerDataError) as caught:
        list(records)
    assert caught.value.code == "audit.file-malformed"
