"""Which purposes of a trust directory's policy accept cards without a check."""

from pathlib import Path

import pytest

from pki.errors import PkiDataError
from pki.trust_directory import TrustDirectory

CHECK = "status.card"


@pytest.mark.parametrize(
    ("policy", "purposes"),
    [
        ("", ()),
        ("purposes = 7", ()),
        ('[purposes.gate]\nrequired_checks = ["chip.authentication", "status.card"]', ()),
        ('[purposes.gate]\nrequired_checks = ["chip.authentication"]', ("gate",)),
        ('[purposes.gate]\nrequired_checks = "status.card"', ("gate",)),
        ("[purposes.gate]", ("gate",)),
        ("[purposes]\ngate = 3", ("gate",)),
        (
            '[purposes.meeting]\nrequired_checks = ["status.card"]\n[purposes.gate]\nrequired_checks = []',
            ("gate",),
        ),
    ],
)
def test_a_purpose_that_does_not_require_a_check_is_named(
    tmp_path: Path, policy: str, purposes: tuple[str, ...]
) -> None:
    (tmp_path / "policy.toml").write_text(policy)
    assert TrustDirectory(tmp_path).purposes_without(CHECK) == purposes


def test_where_there_is_no_policy_no_card_is_accepted_and_nothing_named(tmp_path: Path) -> None:
    assert TrustDirectory(tmp_path).purposes_without(CHECK) == ()


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("purposes = [")
    with pytest.raises(PkiDataError) as refused:
        TrustDirectory(tmp_path).purposes_without(CHECK)
    assert refused.value.code == "policy.malformed"
