"""Questionable rows, mapping files and templates, by the commands that people run."""

from issuer.domain.member_list import MemberColumn
from tests.integration.test_register_commands import Office, office, person, write_csv

__all__ = ["office"]


def test_a_person_decides_on_questionable_rows(office: Office) -> None:
    doubted = [person(number, full_name="\u00d0ỗ Thị Đào") for number in range(1, 4)]
    twin = person(9, birth_date=person(8)["birth_date"])
    path = write_csv(office.directory / "a.csv", [*doubted, person(8), twin])
    status, told = office.take(path)
    assert status == 1
    assert (told["taken"], told["refused"], told["questionable"]) == (1, 0, 4)
    assert {each["code"] for each in told["questions"]} == {
        "name.look-alike-read", "member.alike-in-list",
    }  # fmt: skip
    assert told["faces_checked"] is True
    number = told["import"]

    status, waiting = office.json("members", "questionable", "list", "--import", str(number))
    assert status == 0
    assert [each["row"] for each in waiting] == [f"{number}:{row}" for row in (2, 3, 4, 6)]
    status, shown = office.json("members", "questionable", "show", f"{number}:2")
    assert (status, shown["full_name"]) == (0, "\u00d0ỗ Thị Đào")

    accept = ("members", "questionable", "accept")
    assert office.json(*accept, f"{number}:2", "--reason", "seen") == (
        0, {"accepted": [f"{number}:2"], "failed": []},
    )  # fmt: skip
    status, done = office.json(*accept, "--code", "name.look-alike-read", "--reason", "font")
    assert (status, len(done["accepted"])) == (0, 2)
    status, done = office.json(
        "members", "questionable", "refuse", f"{number}:6", f"{number}:2", "--reason", "a twin"
    )
    assert status == 1
    assert done["refused"] == [f"{number}:6"]
    assert [each["code"] for each in done["failed"]] == ["questionable.decided"]
    assert len(office.json("members", "list")[1]) == 4
    assert office.json("members", "questionable", "list")[1] == []

    assert office.run(*accept, "--reason", "x")[0] == 64
    assert office.run(*accept, "12", "--reason", "x")[0] == 64
    assert "[questionable.unknown]" not in office.run(*accept, "9:9", "--reason", "x")[2]
    assert office.json(*accept, "9:9", "--reason", "x")[1]["failed"][0]["code"] == (
        "questionable.unknown"
    )


def test_a_mapping_is_checked_before_it_is_used(office: Office) -> None:
    columns = [str(column) for column in MemberColumn]
    path = office.directory / "theirs.csv"
    cells = [person(1).get(column, "") for column in columns]
    path.write_text(
        ";".join(f"Cột {column}" for column in columns) + ";STT\n" + ";".join(cells) + ";1\n"
    )
    mapping = office.directory / "mapping.toml"
    lines = "\n".join(f'{column} = "Cột {column}"' for column in columns)
    mapping.write_text(f'format = 1\nother_columns = "ignore"\n[columns]\n{lines}\n')
    status, told = office.json("members", "mapping", "check", mapping, "--list", path)
    assert (status, told["rows"], told["ignored"]) == (0, 1, ["STT"])
    shown = {each["column"]: each["first"] for each in told["columns"]}
    assert shown["full_name"] == ["Đỗ Thị Đào"]
    mapping.write_text(mapping.read_text() + '[dates]\nbirth_date = "YYYY.MM.DD"\n')
    status, out, _ = office.run("members", "mapping", "check", mapping, "--list", path)
    assert status == 1
    assert "1 cells that cannot be read" in out
    mapping.write_text("format = 2\n")
    status, _, err = office.run("members", "mapping", "check", mapping, "--list", path)
    assert (status, "[mapping.format]" in err) == (1, True)


def test_templates_of_every_kind_are_lists_without_members(office: Office) -> None:
    for name in ("members.xlsx", "members.csv", "members.json"):
        template = office.directory / name
        assert office.run("members", "template", template)[0] == 0
        status, told = office.take(template)
        assert (status, told["taken"], told["refused"]) == (0, 0, 0)
    assert office.run("members", "template", "-", "--as", "json")[1].startswith("[")
