# GNU Make 3.81 and a POSIX shell are enough. Everything is installed inside this folder.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test engine engine-stop lint types format docs benchmark clean

ARGS ?=
PORT ?= 4566
JOBS ?= 3
PYTHON := .venv/bin/python
READY := .venv/.ready

UV_CACHE_DIR ?= $(CURDIR)/.uv/cache
export UV_CACHE_DIR
export UV_PYTHON_DOWNLOADS := never

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Move tables of hard items with `meltano run`, and compare them item by item
	@$(PYTHON) -m demo

test: $(READY) ## Run all tests, JOBS=3 at once; ARGS="-k name" chooses some
	@$(PYTHON) -m pytest -n $(JOBS) --dist loadfile $(ARGS)

engine: $(READY) ## Start DynamoDB's stand-in on this machine; PORT=4566
	@$(PYTHON) -m demo.engine start --port $(PORT)

engine-stop: $(READY) ## Stop it
	@$(PYTHON) -m demo.engine stop

lint: $(READY) ## Check style and meltano.yml
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m check_jsonschema --builtin-schema vendor.meltano meltano.yml

types: $(READY) ## Check types
	@$(PYTHON) -m mypy

format: $(READY) ## Put the code into shape
	@$(PYTHON) -m ruff format
	@$(PYTHON) -m ruff check --fix

docs: $(READY) ## Write docs/settings-*.md from what the plugins say of themselves
	@$(PYTHON) -m tap_dynamodb --about --format markdown > docs/settings-tap.md
	@$(PYTHON) -m target_dynamodb --about --format markdown > docs/settings-target.md

benchmark: $(READY) ## Measure the client alone and the pair on a real engine
	@$(PYTHON) -m benchmarks $(ARGS)

clean: ## Remove everything that was installed or made here
	@if test -x $(PYTHON); then $(PYTHON) -m demo.engine stop; fi
	rm -rf .venv .uv .engine .meltano .hypothesis .mypy_cache .pytest_cache .ruff_cache output uv.lock
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml dynamodb-core/pyproject.toml dynamodb-tools/pyproject.toml \
		tap-dynamodb/pyproject.toml target-dynamodb/pyproject.toml constraints.txt .ci/environment
	@sh .ci/environment
	@touch $@
