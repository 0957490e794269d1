"""libFuzzer over one target, in a process of its own: ``python -m tests.fuzz.one_target TARGET [libFuzzer options]``."""

import sys

import atheris

with atheris.instrument_imports(include=["card_layout", "pki", "verifier"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Never returns: libFuzzer ends the process."""
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.try_on)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
