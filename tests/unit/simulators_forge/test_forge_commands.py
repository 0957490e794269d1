import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from card_layout.profile import ProfileError
from simulators.errors import SimulatorError
from simulators.forge import ForgeKind
from simulators.forge_commands import register
from simulators.image import CardImage
from simulators.population.commands import population_app
from simulators.population.member_list import MINIMUM_MEMBERS


def run(*arguments: str | Path | int) -> Result:
    root, image_app = typer.Typer(), typer.Typer()
    root.add_typer(image_app, name="image")
    root.add_typer(population_app, name="population")
    register(image_app, root)
    return CliRunner().invoke(root, [str(argument) for argument in arguments])


@pytest.mark.parametrize("kind", ForgeKind)
def test_forge_writes_the_card_and_tells_can_and_code(tmp_path: Path, kind: ForgeKind) -> None:
    out = tmp_path / "refused" / "card.json"
    result = run("image", "forge", kind, "--authority", tmp_path / "f", "--out", out, "--seed", 3,
                 "--can", "123456")  # fmt: skip
    assert result.exit_code == 0
    assert result.stdout == f"{out}: can 123456, to be refused with {kind.expected_code}\n"
    assert CardImage.load(out).secrets.can == "123456"


def test_forge_in_json(tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    result = run("image", "forge", "clone", "--authority", tmp_path / "f", "--out", out,
                 "--format", "json")  # fmt: skip
    found = json.loads(result.stdout)
    assert found == {
        "image": str(out),
        "kind": "clone",
        "can": CardImage.load(out).secrets.can,
        "expected": "chip.not-proven",
    }


def test_all_forgeries_share_the_authority_of_the_folder(tmp_path: Path) -> None:
    run("image", "forge", "clone", "--authority", tmp_path / "f", "--out", tmp_path / "1.json")
    before = (tmp_path / "f" / "csca.cer").read_bytes()
    run("image", "forge", "unknown-authority", "--authority", tmp_path / "f",
        "--out", tmp_path / "2.json")  # fmt: skip
    assert (tmp_path / "f" / "csca.cer").read_bytes() == before


def test_an_existing_image_is_kept_unless_told(tmp_path: Path) -> None:
    out = tmp_path / "card.json"
    out.write_text("mine", encoding="utf-8")
    command = ("image", "forge", "clone", "--authority", tmp_path / "f", "--out", out)
    result = run(*command)
    assert isinstance(result.exception, SimulatorError)
    assert result.exception.code == "image.exists"
    assert (out.read_text(encoding="utf-8"), (tmp_path / "f").exists()) == ("mine", False)
    assert run(*command, "--overwrite").exit_code == 0
    assert CardImage.load(out)


@pytest.mark.parametrize("can", ["12345", "1234567", "12345a", "١٢٣٤٥٦"])
def test_a_can_that_is_not_six_digits_is_a_usage_error(tmp_path: Path, can: str) -> None:
    result = run("image", "forge", "clone", "--authority", tmp_path / "f",
                 "--out", tmp_path / "card.json", "--can", can)  # fmt: skip
    assert result.exit_code == 2
    assert can not in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_a_usage_error(tmp_path: Path) -> None:
    result = run("image", "forge", "melted", "--authority", tmp_path, "--out", tmp_path / "x")
    assert result.exit_code == 2


def test_an_unknown_profile_changes_nothing(tmp_path: Path) -> None:
    result = run("image", "forge", "clone", "--authority", tmp_path / "f",
                 "--out", tmp_path / "card.json", "--profile", "none")  # fmt: skip
    assert isinstance(result.exception, ProfileError)
    assert list(tmp_path.iterdir()) == []


def test_an_image_whose_folder_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("image", "forge", "clone", "--authority", tmp_path / "f",
                 "--out", tmp_path / "file" / "card.json")  # fmt: skip
    assert isinstance(result.exception, SimulatorError)
    assert result.exception.code == "image.unwritable"


def test_export_adds_the_forger_to_a_trust_directory(tmp_path: Path) -> None:
    run("image", "forge", "clone", "--authority", tmp_path / "f", "--out", tmp_path / "1.json")
    for folder in ("csca", "crl"):
        (tmp_path / "trust" / folder).mkdir(parents=True)
    result = run("authority", "export", tmp_path / "f", "--trust", tmp_path / "trust")
    assert result.exit_code == 0
    (certificate,) = (tmp_path / "trust" / "csca").iterdir()
    assert certificate.read_bytes() == (tmp_path / "f" / "csca.cer").read_bytes()
    assert len(list((tmp_path / "trust" / "crl").iterdir())) == 1


def test_export_needs_an_authority(tmp_path: Path) -> None:
    result = run("authority", "export", tmp_path / "none", "--trust", tmp_path)
    assert isinstance(result.exception, SimulatorError)
    assert result.exception.code == "authority.not-found"


def test_population_create_tells_what_it_made(tmp_path: Path) -> None:
    result = run("population", "create", "--seed", 1, "--out", tmp_path / "list",
                 "--members", MINIMUM_MEMBERS, "--format", "json")  # fmt: skip
    assert json.loads(result.stdout) == {
        "folder": str(tmp_path / "list"),
        "rows": MINIMUM_MEMBERS,
        "right": MINIMUM_MEMBERS - 6,
        "wrong": 6,
    }
    assert (tmp_path / "list" / "members.xlsx").is_file()


def test_population_create_refuses_too_short_a_list(tmp_path: Path) -> None:
    result = run("population", "create", "--seed", 1, "--out", tmp_path / "list", "--members", 5)
    assert result.exit_code == 2
    assert not (tmp_path / "list").exists()


@pytest.mark.parametrize(
    "command", [("image", "forge"), ("authority", "export"), ("population", "create")]
)
def test_every_help_has_examples(command: tuple[str, str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert f"membercard-simulator {' '.join(command)}" in result.stdout
