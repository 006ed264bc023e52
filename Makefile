# Every target sets up what it needs (tests/environment/setup.sh): nothing has to be installed by hand.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup test check static ruff types wheels bench soak demo test-arm clean

# Real models and footage; tests that need them skip, saying so, where they are absent.
export EDGE_RUNTIME_MATERIAL ?= $(abspath ../shared/material)
# What `make demo` adds to `edge-runtime demo`: make demo DEMO="--weather night --seconds 30"
DEMO ?=
# The machine's own certificates, as pip and curl use them: uv brings its own, and a city's proxy is not among them.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export UV_SYSTEM_CERTS ?= 1
endif
PYTHON := .venv/bin/python

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## .venv, and on Debian as root the broker, RTSP server and FFmpeg that tests start
	@tests/environment/setup.sh

test: ## every test on one Python, the fast ones on every other supported Python that is here
	@tests/environment/setup.sh --all-pythons
	@tests/environment/test.sh

check: static ## ruff, mypy --strict, wheels for 64-bit Arm; layers, docs, the wheel
	$(PYTHON) -m pytest -q -m "not system" $(wildcard tests/test_layers.py tests/test_project.py tests/test_docs.py)

static: setup
	@$(MAKE) --no-print-directory --jobs 2 --output-sync --keep-going types ruff wheels

ruff:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types:
	.venv/bin/mypy
	cd export && ../.venv/bin/mypy

wheels:
	$(PYTHON) tests/environment/arm_wheels.py

bench: setup ## every figure with its target: stages, walk, limit, usual script, start, memory
	$(PYTHON) -m tests.benchmarks

soak: setup ## the tests that take minutes: memory slope, hundreds of faults, more random examples
	$(PYTHON) -m tests.benchmarks.soak
	$(PYTHON) -m pytest -m slow -raP --timeout 3600 --hypothesis-profile soak

demo: ## all of it at work, nothing else needed: simulated street, shipped model, broker, live counts beside the truth
	@tests/environment/setup.sh --demo
	@.venv/bin/edge-runtime demo $(DEMO)

test-arm: setup ## on emulated 64-bit Arm: wheels, fast tests, the same footage counted alike (root on Debian)
	@tests/arm/run.sh

clean: ## all that was made here: environments, caches, the Arm root
	rm -rf .venv .venv-3.* .cache build dist
	for folder in . export; do rm -rf $$folder/{.venv,.mypy_cache,.ruff_cache,.pytest_cache,.hypothesis}; done
