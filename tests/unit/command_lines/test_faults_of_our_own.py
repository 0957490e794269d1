"""A fault of the program itself must never look like a refused card: Python's own status for it is 1."""

import importlib
import sys

import pytest


@pytest.mark.parametrize("product", ["pki", "issuer", "verifier", "simulators"])
def test_a_fault_of_the_program_ends_with_status_2_and_says_so(
    product: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"{product}.cli")

    def break_down(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(module, "app", break_down)
    monkeypatch.setattr(sys, "argv", [product])
    try:
        status = module.main()
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert "error: a fault of this program (RuntimeError) [internal]" in capsys.readouterr().err
