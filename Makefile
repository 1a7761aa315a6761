# Every chore of the project; `make help` lists them.
VENV ?= .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

# Tests and the demo start the gateway over and over: without compiled files each start takes long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check lint fix type arch spell schema docs wheel model soak chaos bench lock clean peers

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml tools/make-venv
	tools/make-venv $(VENV)
	touch $@

demo: $(STAMP) ## show the main job on the embedded default; the pages stay open
	$(VENV)/bin/gateway demo $(ARGS)

peers: $(STAMP) ## install the independent peers that the suite needs (PostgreSQL, Redis, Node.js, Chromium)
	tools/install-peers

test: peers ## run the whole suite against real servers
	$(PY) -m pytest -m "not slow" $(ARGS)

soak: peers ## longer load runs
	$(PY) -m pytest -m slow -k soak $(ARGS)

chaos: peers ## longer runs with processes killed at random
	$(PY) -m pytest -m slow -k chaos $(ARGS)

check: lint type arch spell schema docs ## every gate but the tests

lint: $(STAMP) ## style and formatting
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

fix: $(STAMP) ## mend style and formatting where it can be done by machine
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

type: $(STAMP) ## strict types
	$(VENV)/bin/mypy

arch: $(STAMP) ## import contracts
	$(VENV)/bin/lint-imports

spell: $(STAMP) ## spelling of code and docs
	$(VENV)/bin/codespell gateway channels normalizer adapters config docs tests tools README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md

schema: $(STAMP) ## the published schema is the one in the repository
	$(VENV)/bin/gateway schema | diff -u docs/reference/events.schema.json -

docs: $(STAMP) ## build the documentation; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet --site-dir $(VENV)/site

wheel: $(STAMP) ## build the wheel into dist/
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

model: $(STAMP) ## train the judge's model anew from config/training
	$(VENV)/bin/gateway train --out config/models/judge.model $(ARGS)

bench: $(STAMP) ## measure the gateway on this machine
	$(VENV)/bin/gateway bench $(ARGS)

COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header

lock: ## pin every dependency anew (needs uv)
	$(COMPILE) --extra all --extra train --extra test --extra lint --extra docs \
	  --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra offline-speech --constraint requirements.lock \
	  --output-file requirements-offline-speech.lock pyproject.toml

clean: ## remove what was built
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
