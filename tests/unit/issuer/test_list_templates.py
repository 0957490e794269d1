"""The templates that are published: every kind is read back as an empty list, and explains its columns."""

import re
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from issuer.domain.member_list import MemberColumn
from issuer.imports.column_guide import GUIDE
from issuer.imports.open_table import open_table
from issuer.imports.template import ListFormat, member_template


@pytest.mark.parametrize("form", ListFormat)
def test_a_template_is_an_empty_list(tmp_path: Path, form: ListFormat) -> None:
    path = tmp_path / "list"
    path.write_bytes(member_template(form))
    with open_table(path, tuple(MemberColumn)) as table:
        assert list(table.rows()) == []


def test_every_column_is_explained_in_both_languages() -> None:
    assert tuple(GUIDE) == tuple(MemberColumn)
    for guide in GUIDE.values():
        assert guide.label
        assert guide.vi.endswith(".")
        assert guide.en.endswith(".")


def test_the_workbook_has_comments_checks_and_a_frozen_header() -> None:
    with zipfile.ZipFile(BytesIO(member_template(ListFormat.XLSX))) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
        comments = archive.read("xl/comments1.xml").decode()
    assert len(re.findall("<comment ", comments)) == len(MemberColumn)
    for guide in GUIDE.values():
        assert guide.label in comments
    assert 'state="frozen"' in sheet
    assert "&quot;nam,nữ&quot;" in sheet.replace('"nam,nữ"', "&quot;nam,nữ&quot;")
    assert sheet.count("<dataValidation ") >= 7
