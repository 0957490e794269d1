# Two commands matter to a newcomer: `make demo` and `make test`. Both set everything up by themselves.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Programs that start one after another compile themselves once: some shells forbid that, and everything takes twice as long.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test test-slow fuzz bare-debian check format bench lock clean

help:                ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

setup: $(STAMP)      ## Debian packages (where permitted), uv, the locked environment
	@.ci/pcscd

$(STAMP): requirements-dev.lock requirements-without-pcsc.lock requirements-build.lock requirements-uv.lock pyproject.toml simulators/pyproject.toml .ci/setup
	@.ci/setup
	@touch $@

demo: setup          ## from a member list to verified cards, on disk under demo/
	@$(BIN)/python -m simulators.rehearsal

test: setup          ## all tests but the slow sets
	$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

test-slow: setup     ## the slow sets
	$(BIN)/pytest -m slow -n 2 --dist loadfile

FUZZ_SECONDS ?= 300

fuzz: setup          ## fuzz every reader of bytes, FUZZ_SECONDS each; what breaks is kept under fuzz/
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

bare-debian: setup   ## as root: do what docs/terminal.md says on a bare Debian (debootstrap, 300 MB)
	.ci/bare-debian

check: setup         ## format, lint, types, import contracts, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests/benchmarks
	$(BIN)/lint-imports
	$(BIN)/membercard-issuer database check
	$(BIN)/membercard-pki database check
	$(BIN)/membercard-verifier journal check-migrations
	$(BIN)/membercard-verifier centre check-migrations

format: setup        ## let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup         ## measure; a table, and bench/results.json; PARTS="stations batches" measures these alone
	$(BIN)/python -m tests.benchmarks $(PARTS)

lock:                ## resolve the dependencies anew (needs uv)
	.ci/lock

clean:               ## remove what was made here, the environment too
	rm -rf demo bench dist fuzz $(VENV) .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis
