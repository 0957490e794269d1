"""Two homes, a stick between them: from names and certificates to requests at the province, by commands alone."""

import json
import re
import uuid
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cryptography import x509

from issuer.bootstrap import open_register_home
from issuer.bootstrap_bundles import exchange_of
from issuer.cli import main
from issuer.domain.instances import InstanceName
from issuer.settings import remember
from simulators.population.appearance import draw_appearance
from simulators.population.portrait import draw_portrait, encode_portrait
from tests.contract.bundle_stage import WITNESS, person
from tests.contract.requests_stage import ORGANISATIONS
from tests.integration.everybody import log_in_everybody
from tests.unit.pki.exchange_office import ExchangeOffice

PICTURE = encode_portrait(draw_portrait(draw_appearance(Random(1), is_woman=True, age=36)))


RUN: set[tuple[object, object]] = set()
"""The commands that were run."""

EXAMPLE = re.compile(r"^\$ membercard-issuer --home office (\S+) (\S+)", re.MULTILINE)


class Home:
    """One office, and whoever sits in it."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def run(self, *words: object, status: int = 0) -> str:
        self._capsys.readouterr()
        RUN.add((words[0], words[1]))
        found = main(["--home", str(self.path), *map(str, words)])
        shown = self._capsys.readouterr()
        assert found == status, (words, shown.err)
        return shown.out

    def json(self, *words: object, status: int = 0) -> Any:
        return json.loads(self.run(*words, "--format", "json", status=status))


def certified(office: ExchangeOffice, request: Path, name: str, profile: str, out: Path) -> None:
    key = x509.load_der_x509_csr(request.read_bytes()).public_key()
    out.write_bytes(office.certify(name, key, profile=profile))  # type: ignore[arg-type]  # on a curve


def made(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    organisation: str,
    pki: ExchangeOffice,
) -> Home:
    home = Home(tmp_path / name, capsys)
    home.run("database", "upgrade")
    log_in_everybody(home.path)
    home.run("keys", "create", "--keystore", "file", "--pin-file", tmp_path / f"{name}.pin")
    remember(home.path, {"requests": {"hands": "four-eyes"}})
    with open_register_home(home.path) as opened, opened.register.writing() as transaction:
        transaction.organisations.add(ORGANISATIONS)
    files = {each: tmp_path / f"{name}-{each}" for each in ("s.csr", "r.csr", "s.cer", "r.cer")}
    home.run(
        "instances", "request", name, "--organisation", organisation,
        "--out-signer", files["s.csr"], "--out", files["r.csr"],
    )  # fmt: skip
    certified(pki, files["s.csr"], name, "instance-signer", files["s.cer"])
    certified(pki, files["r.csr"], name, "instance", files["r.cer"])
    (tmp_path / "root.cer").write_bytes(pki.root)
    home.run(
        "instances", "install", "--signer-certificate", files["s.cer"], "--certificate", files["r.cer"],
        "--root", tmp_path / "root.cer",
    )  # fmt: skip
    return home


def enrolled(home: Home, name: str, side: str, organisation: str, folder: Path) -> None:
    shown = home.json(
        "instances", "propose", name, "--side", side, "--organisation", organisation,
        "--signer-certificate", folder / f"{name}-s.cer", "--certificate", folder / f"{name}-r.cer",
    )  # fmt: skip
    assert shown["state"] == "proposed"
    home.run("instances", "confirm", name, "--fingerprint", "00", status=1)
    # Whoever proposed an instance does not confirm it, so another person does it here past the commands.
    home.run("instances", "confirm", name, "--fingerprint", shown["fingerprint"], status=1)
    with open_register_home(home.path) as opened:
        exchange_of(opened).instances.confirm(InstanceName(name), actor=WITNESS)


def test_requests_go_up_on_a_stick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pki, stick = ExchangeOffice(), tmp_path / "stick"
    province = made(tmp_path, capsys, "tinh-uy", "P", pki)
    commune = made(tmp_path, capsys, "xa-mau", "P-01", pki)
    enrolled(province, "xa-mau", "below", "P-01", tmp_path)
    enrolled(commune, "tinh-uy", "above", "P", tmp_path)
    with open_register_home(commune.path) as opened:
        portrait = opened.portraits.put(PICTURE)
        stated = person(2)
        with opened.register.writing() as transaction:
            transaction.members.add([stated.__class__(
                member_id=stated.member_id, statement=stated.statement, portrait=portrait,
                portrait_source=portrait, recorded_at=stated.recorded_at,
            )])  # fmt: skip
    commune.run("requests", "draft", "--member", uuid.UUID(int=2), "--kind", "exchange")
    commune.run("requests", "propose", "--all")
    commune.run("requests", "endorse", "--all")
    (sent,) = commune.json("bundle", "export", "tinh-uy", "--out", stick)["bundles"]
    assert Path(sent["file"]).name == "xa-mau-tinh-uy-00000001.bundle"
    assert "There is nothing to tell" in commune.run("bundle", "export", "tinh-uy", "--out", stick)
    (report,) = province.json("bundle", "import", sent["file"])["bundles"]
    assert report["conflicts"] == []
    assert report["counts"]["requests-new"] == 1
    (again,) = province.json("bundle", "import", sent["file"])["bundles"]
    assert again["is_repeated"]
    (request,) = province.json("requests", "list")
    assert request["state"] == "endorsed"
    assert province.json("conflicts", "list")["conflicts"] == []
    province.run("requests", "compile", "--all")
    province.run(
        "instances", "give-numbers", "xa-mau", "P-01", "--from", "98.000001", "--to", "98.000010"
    )
    (answer,) = province.json("bundle", "export", "xa-mau", "--out", stick)["bundles"]
    commune.run("bundle", "import", answer["file"])
    (request,) = commune.json("requests", "list")
    assert request["state"] == "compiled"
    assert [each["sequence"] for each in commune.json("bundle", "list")["bundles"]] == [1, 1]
    _look_at_reports(province, commune, stick)
    page = (Path(__file__).parents[2] / "docs" / "bundles.md").read_text(encoding="utf-8")
    documented = set(EXAMPLE.findall(page))
    assert len(documented) > 6
    assert documented <= RUN


def _look_at_reports(province: Home, commune: Home, stick: Path) -> None:
    province.run("reports", "count")
    assert "missing" in province.run("reports", "show", "--with-instances")
    commune.run("reports", "count")
    (sent,) = commune.json("bundle", "export", "tinh-uy", "--out", stick)["bundles"]
    assert sent["counts"]["reports"] == 1
    province.json("bundle", "import", sent["file"])
    shown = province.json("reports", "show", "--with-instances", "--organisation", "P-01")
    (instance,) = shown["instances"]
    assert (instance["instance"], instance["state"]) == ("xa-mau", "current")
    assert {each["instance"] for each in shown["lines"]} == {"xa-mau"}
    assert {each["as_of"] for each in shown["lines"]} == {instance["as_of"]}
    book = stick / "report.xlsx"
    province.run("reports", "export", book, "--with-instances")
    assert book.stat().st_size > 1000
