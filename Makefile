# Every target does all its own set-up, in .venv beside this file; see CONTRIBUTING.md.
#
#   make demo    the breach, replayed on synthetic people (the README's first command)
#   make test    all tests, with real service processes; within 10 minutes
#   make check   lint, types, the house's import rule, unit tests; within 2 minutes
#   make docs    the documentation, warnings are errors
#   make bench   the figures of the README and docs, on this machine
#   make mutants changes access, ledger and crypto in each small way: does a test notice?
#   make long    all that takes hours: 10,000 examples a property, an hour of fuzzing, mutants, a
#                million malformed requests, timing, soak, benchmarks; by hand
#   make clean   take away what the others made

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := test
.PHONY: demo test check docs bench mutants long wheels clean

# The first Python that is new enough; `make PYTHON=...` picks another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; \
	done || true)
RUN := .venv/bin/python -m
PYTEST := $(RUN) pytest -n 2

demo: .venv/installed
	@.venv/bin/jeton demo

test: .venv/installed
	@for program in redis-server redis-sentinel; do command -v $$program >/dev/null || \
		bash .ci/components $$program || echo "tests with $$program are skipped" >&2; done
	$(PYTEST)

check: .venv/installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	.venv/bin/lint-imports
	$(PYTEST) --hypothesis-profile=quick -m "not system and not breach and not slow"

docs: .venv/installed
	$(RUN) sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: .venv/peers
	@for program in redis-server postgresql libbcprov-java default-jdk-headless wrk nginx-light procps; do \
		bash .ci/components $$program || echo "no comparison with $$program" >&2; done
	$(RUN) benchmarks run

mutants: .venv/installed
	$(RUN) tests.mutants

long: .venv/installed
	@bash .ci/long

wheels: .venv/installed
	$(RUN) pip wheel --quiet --no-deps --build-constraint constraints.txt -w dist . ./sdk
	@ls dist/*.whl

clean:
	rm -rf .venv dist build htmlcov docs/_build .coverage* .mypy_cache .ruff_cache .pytest_cache
	rm -rf .hypothesis .import_linter_cache mutants mutants.log

# What the benchmarks compare with. One part has to be built, and may be missing.
.venv/peers: .venv/installed
	@bash .ci/components swig libssl-dev g++ || true
	@$(RUN) pip install --quiet -c constraints.txt --group peers
	@$(RUN) pip install --quiet -c constraints.txt --group peers-built || \
		echo "not built, so not compared: swig and OpenSSL's headers are needed" >&2
	@touch $@

# Installed anew when what is asked for changes, or the clone moved; otherwise no network.
ifneq ($(shell cat .venv/installed 2>/dev/null),$(CURDIR))
.PHONY: .venv/installed
endif
.venv/installed: pyproject.toml sdk/pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "Jeton needs Python 3.11 or newer; python3 here is" \
			"$$(python3 --version 2>&1 || echo missing)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; fi
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing python3-venv" >&2; apt-get update -qq; \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
		else \
			echo "This Python cannot make virtual environments. On Debian and Ubuntu:" >&2; \
			echo "    sudo apt-get install python3-venv" >&2; exit 2; fi; }
	@echo "setting up .venv (once, a minute or two)" >&2
	@[ "$$(cat .venv/installed 2>/dev/null)" = "$$(pwd -P)" ] || "$(PYTHON)" -m venv --clear .venv
	@$(RUN) pip install --quiet --disable-pip-version-check --upgrade -c constraints.txt pip
	@$(RUN) pip install --quiet -c constraints.txt --build-constraint constraints.txt \
		--group dev -e . -e ./sdk
	@pwd -P > .venv/installed
