# Counterpoint. `make` alone tells what there is.

VENV    ?= .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.set-up
SEED    ?=
TICKETS ?= 400
CHAOS   ?=
STAY    ?=

# The first Python from 3.11 on that can make a virtual environment; say `make setup PYTHON=/path/to/python` to choose.
CANDIDATES := python3.11 python3 python3.12 python3.13 python3.14 python
FITS       := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON     ?= $(shell for p in $(CANDIDATES); do "$$p" -c '$(FITS)' 2>/dev/null && { echo "$$p"; break; }; done)

RUN_TESTS := $(BIN)/python scripts/run_tests.py $(if $(SEED),--seed $(SEED))

.DEFAULT_GOAL := help
.PHONY: help setup up test check format docs bench crash soak lock clean

help: ## Show what there is
	@echo "Counterpoint: two commands are enough, 'make up' to see it work and 'make test' to check it."
	@echo
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16
	@echo
	@echo "Variables: up TICKETS=400 CHAOS=1 STAY=1; test, crash and soak SEED=12345; setup PYTHON=/path/to/python"

setup: $(STAMP) ## Make .venv with everything pinned in requirements-dev.lock (once)

$(STAMP): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 on with venv was found: install it, or say PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

up: setup ## Start the support desk, feed it tickets, show the balance (CHAOS=1 kills the engine in the middle)
	@CHAOS="$(filter-out 0,$(CHAOS))" TICKETS="$(TICKETS)" STAY="$(filter-out 0,$(STAY))" \
		$(BIN)/python examples/support-desk/demo.py

test: setup ## Everything that CI runs, with the time of each group
	@$(RUN_TESTS)

check: setup ## Before a commit: format, lint, types, imports, fast tests
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .
	@$(RUN_TESTS) --fast

format: setup ## Format the code and sort the imports
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: setup ## Write the pages of the reference that come from the code
	@$(BIN)/python scripts/write_reference.py

bench: setup ## Measure, compare with the disk's own limit, write benchmarks/latest.json
	@$(BIN)/python scripts/run_benchmarks.py

crash: setup ## Many more crash points and kills than CI has
	@$(RUN_TESTS) --scale 50 crash

soak: setup ## The long runs: simulation, properties, replay and crashes on many more seeds
	@$(RUN_TESTS) --scale 20 property simulation replay crash

lock: setup ## Pin the dependencies again, with hashes and without addresses
	@$(BIN)/python scripts/lock.py

clean: ## Remove what was built or cached; .venv and data stay
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests examples benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
