"""Lists in JSON: read object by object, or refused as a whole."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issuer.errors import IssuerDataError
from issuer.imports import json_table
from issuer.imports.open_table import open_table

COLUMNS = ("code", "name", "day")


def read(path: Path) -> list[tuple[int, dict[str, object]]]:
    with open_table(path, COLUMNS) as table:
        rows = [(row.number, dict(row.cells)) for row in table.rows()]
        assert rows == [(row.number, dict(row.cells)) for row in table.rows()]
        assert table.row_count >= len(rows)
    return rows


def written(directory: Path, content: str | bytes) -> Path:
    path = directory / "list.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_objects_are_rows_numbered_as_under_a_header(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '\ufeff [ {"code": "A", "name": "Hoà", "day": 1.5},\n{"day": null, "code": "", "name": " "},'
        ' {"name": "Bé", "code": "B", "day": true} ] \n',
    )
    assert read(path) == [
        (2, {"code": "A", "name": "Hoà", "day": 1.5}),
        (4, {"code": "B", "name": "Bé", "day": True}),
    ]


def test_a_name_that_an_object_leaves_out_is_an_empty_cell(tmp_path: Path) -> None:
    path = written(tmp_path, '[{"code": "A", "name": "x", "day": "y"}, {"code": "B"}]')
    assert read(path)[1] == (3, {"code": "B", "name": None, "day": None})


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("[]", "file.columns"),
        ('[{"code": 1}]', "file.columns"),
        ('[{"code": "", "name": "", "day": "", "more": ""}]', "file.columns"),
        ('{"code": "A", "name": "B", "day": "C"}', "file.malformed"),
        ("[", "file.malformed"),
        ('[{"code": "A"}', "file.malformed"),
        ('[{"code": "A"},]', "file.malformed"),
        ('[{"code": "A"} {"code": "B"}]', "file.malformed"),
        ('[{"code": "A"}] []', "file.malformed"),
        ("[1]", "file.malformed"),
        ('[{"code": ["A"]}]', "file.malformed"),
        ('[{"code": {"a": 1}}]', "file.malformed"),
        ('[{"code": 1, "code": 2}]', "file.malformed"),
        ('[{"code": NaN}]', "file.malformed"),
        ('[{"code": ' + "[" * 200_000 + "]}]", "file.malformed"),
        ('[{"code": "' + "x" * 300_000 + '"}]', "file.malformed"),
        ('[{"code": ' + "9" * 5_000 + "}]", "file.malformed"),
        ("[{" + ",".join(f'"c{n}": 1' for n in range(300)) + "}]", "file.malformed"),
        (b'[{"code": "\xff"}]', "file.not-utf-8"),
    ],
)
def test_a_wrong_document_is_refused_as_a_whole(
    tmp_path: Path, content: str | bytes, code: str
) -> None:
    with pytest.raises(IssuerDataError) as refusal:
        read(written(tmp_path, content))
    assert refusal.value.code == code


def test_too_many_objects_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_table, "MAX_ROWS", 2)
    one = {"code": "A", "name": "B", "day": "C"}
    assert len(read(written(tmp_path, json.dumps([one] * 2)))) == 2
    with pytest.raises(IssuerDataError) as refusal:
        read(written(tmp_path, json.dumps([one] * 3)))
    assert refusal.value.code == "file.too-many-rows"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cells=st.lists(
        st.fixed_dictionaries(
            {
                name: st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20)
                for name in COLUMNS
            }
        ),
        min_size=1,
        max_size=8,
    ),
    window=st.integers(1, 40),
    is_escaped=st.booleans(),
)
def test_whatever_the_window_the_objects_come_back(
    tmp_path: Path, cells: list[dict[str, object]], window: int, *, is_escaped: bool
) -> None:
    has_surrogates = any(
        isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value)
        for each in cells
        for value in each.values()
    )
    path = written(tmp_path, json.dumps(cells, ensure_ascii=is_escaped or has_surrogates))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_table, "_CHUNK_BYTES", window)
        found = read(path)
    expected = [
        (number, each)
        for number, each in enumerate(cells, start=2)
        if any(
            value is not None and not (isinstance(value, str) and not value.strip())
            for value in each.values()
        )
    ]
    assert found == expected
