# Every target does its own set-up in .venv, with pip and nothing else. The first time takes a few minutes; afterwards
# it is done again only when the files that name the dependencies change.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMP := $(VENV)/.set-up
UNFINISHED := $(VENV)/.set-up-unfinished
DEPENDENCIES := pyproject.toml constraints.txt requirements-nodeps.txt

# The interpreter that makes .venv: PYTHON=... where given, else the first of these in the range.
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.11 python3.12)
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))

# Test processes side by side, one thread each.
JOBS ?= 2
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS)

# Any of these will do for the pages; the tests look for the same ones.
BROWSERS := chromium chromium-browser google-chrome

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-browser chromium-there lint format clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

setup: $(STAMP) ## make .venv with everything in it

demo: $(STAMP) ## animate the photo and the sentence that come along: out/demo.mp4, out/demo_sheet.png
	$(BIN)/inkspeak demo --output out/demo.mp4

test: $(STAMP) ## the fast tests
	$(PYTEST) -m "not slow and not network"

test-slow: $(STAMP) ## the long tests
	$(PYTEST) -m "slow and not network"

test-browser: chromium-there $(STAMP) ## the pages in a headless Chromium, which must be on this machine
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,browser]'
	$(PYTEST) -m browser

# Playwright's own browsers would come from outside the registries: one of the system is taken, or the one that is named.
chromium-there:
	@for name in $${INKSPEAK_CHROMIUM:-$(BROWSERS)}; do command -v "$$name" >/dev/null 2>&1 && exit 0; done; \
	echo "make test-browser needs Chromium, and none of these is on the path: $${INKSPEAK_CHROMIUM:-$(BROWSERS)}. Install one" \
	  "(Debian: apt-get install chromium), or name yours: INKSPEAK_CHROMIUM=/usr/bin/... make test-browser" >&2; \
	exit 1

lint: $(STAMP) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## lay the code out and mend what can be mended mechanically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove caches and builds; keeps .venv and out
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# Two set-ups at once would write into the same folder: the second waits, looks again, and finds the work done.
ifndef SET_UP_LOCKED
$(STAMP): $(DEPENDENCIES)
	@$(shell command -v flock >/dev/null 2>&1 && echo flock Makefile) $(MAKE) --no-print-directory SET_UP_LOCKED=1 $(STAMP)
else
# pip takes a half-copied package for an installed one, so a set-up that was cut off starts again from an empty folder.
# It compiles what it installs, which takes a minute once: without that, and where Python may not keep what it compiles
# (PYTHONDONTWRITEBYTECODE), every single start would compile torch again, two seconds longer.
$(STAMP): $(DEPENDENCIES)
	@if [ -e $(UNFINISHED) ] || ! $(BIN)/python -c '$(IN_RANGE)' 2>/dev/null; then \
	  found=; \
	  for python in $(CANDIDATES); do \
	    if $$python -c '$(IN_RANGE)' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "inkspeak needs Python 3.11 or 3.12, and none of these is one: $(CANDIDATES). Name one: make PYTHON=python3.11 ..." >&2; \
	    exit 1; \
	  fi; \
	  echo "setting up $(VENV) with $$($$found --version): this takes a few minutes, once"; \
	  $$found -m venv --clear $(VENV); \
	fi
	@touch $(UNFINISHED)
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(BIN)/python -m ensurepip
	$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	$(PIP) install --quiet --no-deps --requirement requirements-nodeps.txt
	@rm -f $(UNFINISHED)
	@touch $(STAMP)
endif
