# Induk: two commands are enough to start: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
CORPUS ?=
STRICT ?= 0
export PYTHONUTF8 = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# containers often set it, and then each of the tests' processes compiles all that it imports
unexport PYTHONDONTWRITEBYTECODE
# a proxy of the environment must never catch the servers that the tests start on loopback
export no_proxy = 127.0.0.1,localhost,::1
export NO_PROXY = 127.0.0.1,localhost,::1

.PHONY: help demo check test lint types fast full proofs prove corpus bench bench-check same audit format clean system

help:
	@echo "make demo            four sample libraries, two nights, the whole journey (KEEP=1 leaves it serving)"
	@echo "make check           lint, types, layers, fast tests: while you work"
	@echo "make test            everything CI runs: check, SQLite and PostgreSQL, real servers, the demo"
	@echo "make prove CORPUS=D  the long proofs over a folder of real data; figures for docs/proofs.md"
	@echo "make corpus CORPUS=D every file under D through the pipeline; writes docs/interop.md"
	@echo "make audit           known vulnerabilities of the dependencies (asks the network)"
	@echo "make bench CORPUS=D  speed against named baselines; figures for docs/performance.md"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: setup.cfg pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[web]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[web,dev]'
	@touch $@

demo: $(VENV)/.run
	$(BIN)/induk demo $(if $(KEEP),--keep)

check: lint types fast

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not slow and not postgres and not servers and not browser and not prove"

# as root: what the tests need and the machine lacks, by apt; otherwise those tests are deselected and listed
system:
	@sh tests/system.sh

full: $(VENV)/.dev
	STRICT=$(STRICT) $(BIN)/python -m pytest -n 2 -m "(slow or postgres or servers or browser) and not prove"

test: system check full demo

prove: $(VENV)/.dev
	$(BIN)/python -m pytest -m prove -s --timeout 0 --corpus "$(CORPUS)"

corpus: $(VENV)/.dev
	$(BIN)/python -m bench.corpus "$(CORPUS)" docs/interop.md $(MORE)

bench: $(VENV)/.dev
	$(BIN)/python -m bench.run "$(CORPUS)" --write docs/performance.md

# fails where a ratio is more than 15 % below the committed one
bench-check: $(VENV)/.dev
	$(BIN)/python -m bench.run "$(CORPUS)" --runs 1 --check

# known vulnerabilities of what constraints.txt names; asks the network, so it is not part of CI
audit: $(BIN)/python
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install -q pip-audit
	$(VENV)/audit/bin/pip-audit --disable-pip --no-deps -r constraints.txt

# what the hot path makes of every record below CORPUS, as hashes: compare them before and after a change
same: $(VENV)/.dev
	@$(BIN)/python -m bench.same "$(CORPUS)"

format: $(VENV)/.dev
	$(BIN)/ruff check --fix -q .
	$(BIN)/ruff format -q .

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache demo-data
