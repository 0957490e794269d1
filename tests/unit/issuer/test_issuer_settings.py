from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issuer.db.base import Database
from issuer.errors import IssuerUnavailableError
from issuer.settings import SETTINGS_FILE, load_settings, remember


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMBERCARD_ISSUER_DATABASE_URL", raising=False)


def test_a_home_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    loaded = load_settings(tmp_path)
    assert loaded.database_url_in(tmp_path) == f"sqlite:///{tmp_path}/issuer.sqlite"
    assert loaded.portraits_in(tmp_path) == tmp_path / "portraits"
    assert loaded.card_profile == "membercard-1"


def test_a_variable_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SETTINGS_FILE).write_text(
        'database_url = "sqlite:///a"\ncard_profile = "b"\n[keystore]\nkind = "file"\n'
    )
    monkeypatch.setenv("MEMBERCARD_ISSUER_DATABASE_URL", "postgresql://host/db")
    monkeypatch.setenv("MEMBERCARD_ISSUER_KEYSTORE__PIN_FILE", "/pin")
    loaded = load_settings(tmp_path)
    assert loaded.database_url == "postgresql://host/db"
    assert loaded.card_profile == "b"
    assert (loaded.keystore.kind, loaded.keystore.pin_file) == ("file", Path("/pin"))


@pytest.mark.parametrize(
    "text",
    [
        "unknown = 1",
        "card_validity_years = 0",
        "database_url = [",
        "[keystore]\nkind = 'other'",
        "\ufffe",
        "[keystore]\nsecret_password = 'hunter2'",
    ],
)
def test_a_file_that_is_not_as_expected_is_refused_without_its_values(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / SETTINGS_FILE).write_text(text)
    with pytest.raises(IssuerUnavailableError) as refusal:
        load_settings(tmp_path)
    assert refusal.value.code == "settings.malformed"
    assert "hunter2" not in str(refusal.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_bytes(b"\xff\xfe")
    for attempt in (load_settings, lambda home: remember(home, {})):
        with pytest.raises(IssuerUnavailableError) as refusal:
            attempt(tmp_path)
        assert refusal.value.code == "settings.malformed"


def test_what_is_remembered_changes_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    remember(home, {"card_profile": "p", "keystore": {"kind": "file", "token_label": "t"}})
    remember(home, {"card_validity_years": 5, "keystore": {"pin_file": Path("/x"), "kind": None}})
    loaded = load_settings(home)
    assert loaded.card_profile == "p"
    assert loaded.card_validity_years == 5
    assert loaded.keystore.token_label == "t"
    assert loaded.keystore.pin_file == Path("/x")
    assert loaded.keystore.kind is None
    assert home.stat().st_mode & 0o077 == 0
    assert (home / SETTINGS_FILE).stat().st_mode & 0o077 == 0
    assert [each.name for each in home.iterdir()] == [SETTINGS_FILE]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_can_be_remembered(tmp_path: Path, text: str) -> None:
    assert remember(tmp_path, {"card_profile": text}).card_profile == text


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://host/db", "sqlite://", "sqlite:///:memory:", "foo+bar://x"]
)
def test_a_url_of_another_database_is_refused(url: str) -> None:
    with pytest.raises(IssuerUnavailableError) as refusal:
        Database(url)
    assert refusal.value.code == "database.url"
