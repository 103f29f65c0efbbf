# Two commands do everything on a fresh machine: `make demo` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install demo test regress lint types clean

help:
	@echo "make demo     set up, then train, simulate and build the quick start"
	@echo "make test     set up, then run the tests"
	@echo "make regress  the long regressions (tens of minutes)"
	@echo "make lint     ruff, ruff format and pyright"

install: $(STAMP)

# constraints.txt pins every version, torch above all (any other release brings gigabytes of CUDA).
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/racewave demo

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile

regress: $(STAMP)
	$(BIN)/python -m pytest -m "slow or not slow" -n auto --dist loadfile

# Type checkers cannot follow package-dir: give them a folder in which `racewave` is this one.
.types/racewave:
	mkdir -p .types && ln -sfn .. .types/racewave

lint: $(STAMP) .types/racewave
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf $(VENV) .types build dist *.egg-info .pytest_cache .ruff_cache
