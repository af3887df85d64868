# Each target sets up what it needs; a machine needs Python 3.11 or newer, and make.
PYTHON ?= python3
BIN := .venv/bin
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url

.PHONY: demo dev test check proof bench lock

demo: .venv/runtime ## a month of 12 sample tenants: documents and mails under var/
	$(BIN)/reports demo

dev: .venv/runtime ## the web UI on http://127.0.0.1:3000, with the sample ledger
	$(BIN)/reports dev --sample

test: .venv/development
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/reports exec -- dagster definitions validate -m reports_pipeline.definitions

proof: .venv/development ## of delivery, at length: about an hour
	PROOF_TENANTS=200 PROOF_SEEDS=500 $(BIN)/python -m pytest tests/proofs

bench: .venv/development
	$(BIN)/python -m benchmarks.stages

lock: .venv/development ## after a change of the ranges in pyproject.toml or requirements/*.in
	$(BIN)/pip install --quiet uv
	cd requirements && ../$(BIN)/uv pip compile $(LOCK) --extra embedded ../pyproject.toml runtime.in -o runtime.txt
	cd requirements && ../$(BIN)/uv pip compile $(LOCK) --extra embedded ../pyproject.toml development.in -o development.txt

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/runtime: requirements/runtime.txt pyproject.toml setup.py | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/development: requirements/development.txt .venv/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	@touch $@
