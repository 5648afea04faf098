# make demo   try everything on the bundled sample blog
# make serve  run the publication of config/topicfeeds.toml
# make test   lint, types, import directions, tests
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install
CONFIG ?= config/topicfeeds.toml

.PHONY: demo demo-once serve test lint corpus judged bench lock clean

demo: $(VENV)/.run
	@$(BIN)/topicfeeds demo

demo-once: $(VENV)/.run
	@$(BIN)/topicfeeds demo --once

serve: $(VENV)/.run
	@$(BIN)/topicfeeds serve --config $(CONFIG)

test: lint
	$(BIN)/python -m pytest -n auto --cov --cov-report=term $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# make corpus CORPUS=path runs the readers over real files kept outside of this repository;
# make judged CORPUS=path JUDGES="path…" puts what is published of them before validators kept there
corpus: $(VENV)/.dev
	$(BIN)/python -m tests.corpus $(CORPUS)
	$(if $(JUDGES),$(BIN)/python -m tests.corpus.judged $(CORPUS) $(JUDGES))

judged: $(VENV)/.dev
	$(BIN)/python -m tests.corpus.judged $(CORPUS) $(JUDGES)

# make bench runs every benchmark, small; make bench FULL=1 as the figures in benchmarks/README.md were taken
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(if $(FULL),--full)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements-dev.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

# Needs uv; the locks hold for every supported Python and for Linux and macOS.
LOCK := uv pip compile --quiet --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock"
lock:
	$(LOCK) --group run pyproject.toml -o requirements.lock
	$(LOCK) --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) var
