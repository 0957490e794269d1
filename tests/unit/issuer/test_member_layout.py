"""How member lists are laid out, wherever they come in."""

from pathlib import Path

import pytest

from issuer.domain.member_list import MemberColumn
from issuer.errors import IssuerDataError
from issuer.imports.column_guide import CORRECTION_COLUMNS
from issuer.imports.member_layout import member_layout
from issuer.imports.open_table import open_laid_out

COLUMNS = [str(each) for each in MemberColumn]


def written(path: Path, header: list[str], cells: list[str]) -> Path:
    path.write_text(f"{','.join(header)}\n{','.join(cells)}\n", encoding="utf-8")
    return path


def test_a_correction_file_comes_back_in_the_template(tmp_path: Path) -> None:
    path = written(
        tmp_path / "list.csv", [*CORRECTION_COLUMNS, *COLUMNS], ["x"] * (3 + len(COLUMNS))
    )
    with open_laid_out(path, member_layout(None)) as table:
        [row] = table.rows()
    assert list(row.cells) == COLUMNS


def test_a_mapping_says_which_column_is_which(tmp_path: Path) -> None:
    mapping = tmp_path / "province.toml"
    lines = [f'{column} = "C{at}"' for at, column in enumerate(COLUMNS)]
    mapping.write_text("\n".join(["format = 1", "[columns]", *lines]), encoding="utf-8")
    headers = [f"C{at}" for at in range(len(COLUMNS))]
    path = written(tmp_path / "list.csv", headers, [f"cell {at}" for at in range(len(COLUMNS))])
    with open_laid_out(path, member_layout(mapping)) as table:
        [row] = table.rows()
    assert row.cells[MemberColumn.FULL_NAME] == f"cell {COLUMNS.index('full_name')}"
    with (
        pytest.raises(IssuerDataError) as caught,
        open_laid_out(path, member_layout(None)),
    ):
        pass
    assert caught.value.code == "file.columns"


def test_a_mapping_that_is_none_is_refused(tmp_path: Path) -> None:
    mapping = tmp_path / "province.toml"
    mapping.write_text("format = 2", encoding="utf-8")
    with pytest.raises(IssuerDataError) as caught:
        member_layout(mapping)
    assert caught.value.code == "mapping.format"
