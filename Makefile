# GNU Make 3.81 is enough. `make` alone lists the targets.
PYTHON ?= python3
SHELL := /bin/sh
DEV := .venv/.installed
OPERATOR := .venv-operator/.installed
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup requirements cluster cluster-down operator image demo unit model controlplane e2e house \
	test test-full bench bench-full generate verify lint format clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z0-9-]*:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

setup: $(DEV) $(OPERATOR) ## make .venv (development) and .venv-operator (what the operator runs in)

$(DEV): requirements/dev.txt pyproject.toml scripts/install.py
	@$(PYTHON) scripts/install.py .venv requirements/dev.txt
	@touch $@

$(OPERATOR): requirements/operator.txt pyproject.toml scripts/install.py $(DEV)
	@$(PYTHON) scripts/install.py .venv-operator requirements/operator.txt --builder .venv
	@touch $@

requirements: $(DEV) ## compile requirements/*.in into exact versions with hashes
	@$(BIN)/python scripts/lock.py

cluster: $(DEV) ## start the test cluster (or find it running); writes and prints its kubeconfig's path
	@$(BIN)/python -m tests.cluster up

cluster-down: $(DEV) ## stop the test cluster and remove what it left on this machine
	@$(BIN)/python -m tests.cluster down

operator: setup ## run the operator here, against the test cluster (or the one ALO_TEST_KUBECONFIG names)
	@$(BIN)/python -m scripts.run_operator

image: $(DEV) ## build the image of operator and gateway, with Docker, podman or buildah
	@$(BIN)/python -m scripts.build_image $(if $(BASE),--base $(BASE))

demo: setup ## show the operator at work on the test cluster
	@$(BIN)/python -m demo

unit: $(DEV) ## tests without a cluster, in seconds
	$(PYTEST) tests/unit

model: $(DEV) ## random sequences against the model
	$(PYTEST) tests/model

controlplane: setup ## tests on a real control plane with simulated nodes
	$(PYTEST) tests/controlplane

e2e: setup ## tests with real containers
	$(PYTEST) tests/e2e

house: setup ## tests of the repository itself
	$(PYTEST) tests/house

test: verify ## what CI runs: verify and every tier; anything not run is a failure
	@$(BIN)/python -m scripts.run_tests

test-full: verify ## `test` and the long tests marked full
	@ALO_EXPLORE=1 $(BIN)/python -m scripts.run_tests --full

bench: setup ## measure side by side with bare Jobs, on a cluster of its own; writes docs/performance.md
	@$(BIN)/python -m bench

bench-full: setup ## the medians of three runs of `bench`
	@$(BIN)/python -m bench --runs 3

generate: $(DEV) ## write what is made from models and tests: crds/, docs/api.md, docs/spec-tests.md, parts of charts/
	@$(BIN)/python scripts/generate.py

verify: setup lint ## generated files are fresh, every promise has its test, style, types, layers
	@$(BIN)/python scripts/generate.py --check

lint: $(DEV) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## rewrite the code in the house's format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean: ## remove both environments and all caches of the repository
	rm -rf .venv .venv-operator .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
