# Two commands matter: `make demo` and `make test`. Every target sets up what it needs, again and again without harm.
#   make demo ARGS="--script --fault config-broken --approve-as dana.meyer"     arguments are passed on, by every target

SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
UV_VERSION := 0.13.8
# uv in a place of its own: many Pythons refuse pip outside a virtual environment.
UV := .tools/bin/uv
BIN := .venv/bin
export UV_COMPILE_BYTECODE := 1
export UV_PROJECT_ENVIRONMENT := .venv
ARGS ?=
# The browser's part: what it is made of, and the mark that it was made.
WIDGET := $(shell find agent/widget \( -name node_modules -o -path agent/widget/tests \) -prune -o -type f -print 2>/dev/null)
BUNDLE := agent/api/static/.sources.sha256
NPM := $(BIN)/python widget_bundle.py npm

.PHONY: help setup widget demo serve test check nightly bench bench-http bench-browser clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/.ready $(BUNDLE) ## install uv, the locked environment and the browser pages, if they are not there

.tools/.uv-$(UV_VERSION):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13))' || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is `$(PYTHON) --version 2>&1`: make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
	@command -v git >/dev/null || { echo "git is needed: install it first (the lab keeps its configuration in git)" >&2; exit 2; }
	@if command -v uv >/dev/null && [ "`uv --version | cut -d' ' -f2`" = "$(UV_VERSION)" ]; then \
	  mkdir -p .tools/bin && ln -sf "`command -v uv`" $(UV); \
	else \
	  echo "Downloading uv $(UV_VERSION) (about 25 MB) into .tools/ ..."; \
	  rm -rf .tools && $(PYTHON) -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); \
	fi
	@touch $@

.venv/.ready: .tools/.uv-$(UV_VERSION) pyproject.toml uv.lock hatch_build.py widget_bundle.py
	@echo "Installing the locked environment into .venv/ (groups runtime, eval, dev; several hundred MB to download the first time,"
	@echo "90 MB of it the embedding model, 61 MB of it Node for building the browser pages; 1.3 GB on disk) and compiling it to bytecode."
	@echo "The first time this takes a minute or two ..."
	@$(UV) sync --frozen --quiet --python $(PYTHON) --group runtime --group eval --group dev
	@touch $@

# Without the npm registry there are no browser pages, and everything else works: it says so and goes on.
$(BUNDLE): .venv/.ready $(WIDGET)
	@$(BIN)/python widget_bundle.py || true

widget: .venv/.ready ## build the browser pages from agent/widget, if they are older than it
	@$(BIN)/python widget_bundle.py

serve: setup ## the HTTP interface with the configuration in this folder: make serve ARGS="--config FILE"
	@$(BIN)/countersign serve $(ARGS)

demo: setup ## from ticket to verified fix, on a small estate of real services
	@$(BIN)/countersign demo $(ARGS)

test: setup ## all tests but the long ones
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/pytest -n 3 --dist loadfile -m "not nightly" $(ARGS)

check: setup ## format, lint, types, imports; the same for the browser pages, with their tests and sizes
	@$(BIN)/ruff format --check $(ARGS) .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/countersign knowledge lint knowledge/runbooks
	@$(NPM) run --silent check
	@$(NPM) test --silent
	@$(NPM) run --silent size

bench: setup ## measure incidents: make bench ARGS="--help"; the HTTP interface and the browser have targets of their own
	@$(BIN)/python -m benchmarks.incident $(ARGS)

bench-http: setup ## measure the HTTP interface: start, first event, 200 streams, card
	@$(BIN)/python -m benchmarks.http $(ARGS)

bench-browser: setup ## measure the chat in Chromium: streaming, card on screen
	@$(BIN)/python -m benchmarks.browser $(ARGS)

nightly: check test ## everything: the long tests as well, and the measurements
	@$(BIN)/pytest -n 3 --dist loadfile -m nightly
	@$(MAKE) --no-print-directory bench
	@$(MAKE) --no-print-directory bench-http
	@$(MAKE) --no-print-directory bench-browser

clean: ## remove the environment and the built pages; nothing else is touched
	rm -rf .venv .tools agent/widget/node_modules agent/api/static
