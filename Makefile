# Everything a fresh machine needs: `make demo` and `make test` set up their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TRIALS ?= 40

.PHONY: demo test test-all lint bench clean

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[torch,data]'
	touch $@

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[all,dev]'
	touch $@

demo: $(VENV)/demo  ## search examples/digits.arch on real data and hand over the best network
	if [ -e runs/digits.db ]; then $(BIN)/archlang resume runs/digits.db; else \
	  $(BIN)/archlang search examples/digits.arch --data digits --searcher evolution --trials $(TRIALS) \
	    --maximize accuracy --minimize macs --store runs/digits.db --seed 0; fi

test: $(VENV)/installed  ## lint, types, layers, and the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto

test-all: $(VENV)/installed  ## the exhaustive tests too
	$(BIN)/python -m pytest -n auto -m ''

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist
