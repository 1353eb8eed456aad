# make help lists what there is. Everything is installed into .venv here, once; nothing elsewhere.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first Python that is new enough; `make demo PYTHON=/path/to/python` overrides it.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 && { command -v "$$p"; break; }; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
# What is installed with torch, in GiB; pip unpacks as much again for a while, wherever TMPDIR is.
ALL_SPACE := 8
# Stamps: as long as they are newer than what they depend on, nothing is installed, offline or not.
DEMO_READY := $(VENV)/.ready-demo
ALL_READY := $(VENV)/.ready-all
# What looks at the environment stands outside of it, or it would list itself.
AUDIT := build/audit
AUDIT_READY := $(AUDIT)/.ready
AUDIT_TOOLS := cyclonedx-bom==7.5.0 pip-audit==2.10.1
SBOM := build/sbom.cdx.json
# What the images install, by version and SHA-256, for the Python of the Dockerfile.
LOCKS := deploy/docker
LOCK_TOOL := uv==0.13.9
LOCK_READY := build/lock/.ready
LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/uv pip compile --quiet --universal \
	--python-version 3.12 --generate-hashes

# Faust keeps state in its process and, started again and again in a busy one, does not always stop:
# its tests get a process of their own.
MONITOR_TESTS := tests/integration/test_monitor.py

# One broker, one worker, three reviews: two find their categories, one the relabel topic.
ONE_PIPELINE := tests/integration/test_worker.py::test_sure_reviews_go_to_their_category_and_unsure_ones_to_relabel

# A process a core, four at most: each may take two gigabytes. (With one more, which is a fifth faster, two
# of three runs on two cores had a test that was too late.) A file's tests share its servers, so they
# stay together.
CORES := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); \
	if [ "$$n" -gt 4 ]; then echo 4; elif [ "$$n" -lt 2 ]; then echo 2; else echo "$$n"; fi)
# A process that dies is replaced once: xdist gives the next one a file's last test and waits for ever.
SIDE_BY_SIDE := -n $(CORES) --dist loadfile --max-worker-restart=1 --durations=20

# Measured in unit tests alone: tracing every line of a worker would slow what runs against time.
COVERED := --cov --cov-report=term:skip-covered

.PHONY: help demo install check quick test faults fuzz soak crowd lint format bench schemas sbom audit lock clean

help: ## Show this list
	@echo "usage: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO_READY) ## Run the whole pipeline once on a real Kafka and Redis
	@$(BIN)/reviews demo $(ARGS)

install: $(ALL_READY) ## Install everything, training and development included

check: $(ALL_READY) ## Check while you work: lint, types, unit tests, a small pipeline (2 minutes)
	@$(MAKE) --no-print-directory -j 2 lint quick

quick: $(ALL_READY)
	@$(BIN)/python -m pytest -n $(CORES) --dist loadfile -m 'not slow' tests/unit $(ONE_PIPELINE) $(ARGS)

# Each part is bounded, and one that fails keeps no other from being tried. 5: ARGS left nothing of it.
test: $(ALL_READY) ## Run all tests (an hour at most)
	@failed=0; try() { $(BIN)/python -m pytest "$$@" $(ARGS) || [ $$? = 5 ] || failed=1; }; \
	try --session-timeout=300 $(MONITOR_TESTS); \
	try --session-timeout=900 $(SIDE_BY_SIDE) $(COVERED) tests/unit; \
	try --session-timeout=2400 $(SIDE_BY_SIDE) --ignore $(MONITOR_TESTS) --ignore tests/unit; \
	exit $$failed

faults: $(ALL_READY) ## Break everything on purpose and check that each review ends exactly once
	@$(BIN)/python -m tests.faults $(ARGS)

fuzz: $(ALL_READY) ## 100,000 malformed messages, 20,000 damaged batches, 100,000 damaged files, queue and monitor asked anything
	@$(BIN)/python -m tests.faults.fuzz $(ARGS)
	@$(BIN)/python -m tests.faults.fuzz_batches
	@$(BIN)/python -m tests.faults.fuzz_files
	@$(BIN)/python -m tests.faults.fuzz_guided
	@$(BIN)/python -m tests.faults.fuzz_api

soak: $(ALL_READY) ## 20 minutes of twice the capacity; then the backlog
	@$(BIN)/python -m tests.faults.soak $(ARGS)

crowd: $(ALL_READY) ## Fifteen people in browsers at the queue for ten minutes; what went wrong
	@$(BIN)/python -m tests.browser.crowd $(ARGS)

lint: $(ALL_READY) ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(ALL_READY) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(ALL_READY) ## Measure everything, and compare with the recorded run (20 minutes)
	@$(BIN)/python -W ignore -m tests.bench $(ARGS)

schemas: $(DEMO_READY) ## Write schemas/generated anew from the event models
	@$(BIN)/python -m schemas.generate

sbom: $(DEMO_READY) $(AUDIT_READY) ## List all that is installed as a CycloneDX document, build/sbom.cdx.json
	@$(AUDIT)/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml \
		--output-reproducible --output-file $(SBOM)
	@echo "$(SBOM)"

audit: $(DEMO_READY) $(AUDIT_READY) ## Look what is installed up in a database of vulnerabilities
	@$(BIN)/python -m deploy.audit $(AUDIT)/bin/pip-audit $(ARGS)

lock: $(LOCK_READY) ## Write the images' locks anew (deploy/docker), after a change of constraints.txt
	@$(LOCK) -c constraints.txt pyproject.toml --extra protobuf -o $(LOCKS)/requirements.txt
	@$(LOCK) -c constraints.txt pyproject.toml --extra protobuf --extra gpu --no-emit-package onnxruntime \
		-o $(LOCKS)/requirements-gpu.txt
	@$(LOCK) $(LOCKS)/requirements-build.in -o $(LOCKS)/requirements-build.txt

clean: ## Remove the environment, caches and the demo's data
	@if [ -x $(BIN)/reviews ]; then $(BIN)/reviews down >/dev/null 2>&1 || true; fi
	rm -rf $(VENV) .reviews build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: Python 3.11 or newer is needed, and none is on the PATH" >&2; \
		echo "  try: apt-get install python3 python3-venv, or make PYTHON=/path/to/python3.11 ..." >&2; \
		exit 1; fi
	@"$(PYTHON)" -c '$(NEW_ENOUGH)' || { \
		echo "error: $(PYTHON) is too old: Python 3.11 or newer is needed" >&2; \
		echo "  try: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "error: $(PYTHON) cannot make a virtual environment" >&2; \
		echo "  try: apt-get install python3-venv" >&2; exit 1; }

$(DEMO_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV) (once; a minute or two)"
	@$(PIP) --quiet -e '.[local]'
	@touch $@

$(AUDIT_READY): Makefile | $(BIN)/python
	@echo "installing $(AUDIT_TOOLS) into $(AUDIT) (once)"
	@$(BIN)/python -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check $(AUDIT_TOOLS)
	@touch $@

$(LOCK_READY): Makefile | $(BIN)/python
	@$(BIN)/python -m venv build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check $(LOCK_TOOL)
	@touch $@

$(ALL_READY): pyproject.toml constraints.txt | $(BIN)/python
	@free=$$(df -Pk . | awk 'NR == 2 { print int($$4 / 1048576) }'); [ "$$free" -ge $(ALL_SPACE) ] || { \
		echo "error: $$free GiB are free here, and $(ALL_SPACE) are needed: torch is large" >&2; \
		echo "  try: free some space; \`make demo\` alone needs less than one" >&2; exit 1; }
	@echo "installing everything into $(VENV) (once; torch is large: some minutes)"
	@$(PIP) --quiet -e '.[local,train,dev]'
	@touch $(DEMO_READY) $@
