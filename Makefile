# `make demo` migrates the fixtures zoo and shows the diff; `make test` runs every test. Both set up what they need.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint setup rule-pages

demo: setup
	$(BIN)/tsrefactor migrate fixtures/zoo.py --diff; status=$$?; [ $$status -le 1 ]

test: setup lint
	$(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

rule-pages: setup
	$(BIN)/python -m tsrefactor.rules.pages docs/rules
