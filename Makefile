# `make` alone lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install sweep studies test truth chaos check quality bench notebook reference format clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## make the environment in .venv, with pinned versions

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[hub,serve,dev]'
	@touch $@

sweep: $(INSTALLED) ## run the demo sweep and write its report (a few minutes on two cores)
	$(BIN)/picosweep run sweeps/specs/demo.yaml

studies: $(INSTALLED) ## run the shipped studies and write their pages (most of an hour on two cores)
	for name in $$(ls sweeps/studies); do \
		[ ! -f sweeps/studies/$$name/study.yaml ] || \
		$(BIN)/picosweep study $$name --pages docs/studies || exit; done

test: $(INSTALLED) ## run all tests, a local Ray included
	$(BIN)/python -m pytest -m 'not hosts'

truth: $(INSTALLED) ## hold the report's sentences against simulated sweeps of known truth (QUICK=1: minutes)
	POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.truth $(if $(QUICK),--quick,--write docs/truth.md)

chaos: $(INSTALLED) ## inject faults into real sweeps and count what was lost (half an hour; FAULTS=n)
	$(BIN)/python -m tests.chaos $(if $(FAULTS),--faults $(FAULTS))

check: $(INSTALLED) ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

hosts: $(INSTALLED) ## test cluster.yaml on two hosts made of namespaces (root; a few minutes)
	$(BIN)/python -m pytest -m hosts

quality: $(INSTALLED) ## train to published losses (DATA=folder with the texts; ten minutes)
	$(BIN)/python -m benchmarks.quality $(if $(DATA),--data $(DATA)) $(if $(NANOGPT),--nanogpt $(NANOGPT))

bench: $(INSTALLED) ## measure speed and memory against peers
	$(BIN)/python -m benchmarks.kgram
	$(BIN)/python -m benchmarks.linear_attention
	$(BIN)/python -m benchmarks.driver_scale
	$(BIN)/python -m benchmarks.tune_scale --reports-per-rung 10
	$(BIN)/python -m benchmarks.report_scale
	$(BIN)/python -m benchmarks.sandbox
	$(BIN)/python -m benchmarks.evaluation
	$(BIN)/python -m benchmarks.preference
	$(BIN)/python -m benchmarks.service_load
	$(BIN)/python -m benchmarks.training_throughput $(if $(NANOGPT),--nanogpt $(NANOGPT)) --write docs/performance.md
	$(BIN)/python -m benchmarks.sweep_efficiency --write docs/performance.md

notebook: $(INSTALLED) ## run docs/python.md as a notebook and keep it (needs: pip install nbclient ipykernel)
	$(BIN)/python -m docs.notebook

reference: $(INSTALLED) ## write docs/reference/ from the code
	$(BIN)/python -m docs.reference

format: $(INSTALLED) ## format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove the environment and caches, never results
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
