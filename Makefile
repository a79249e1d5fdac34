# Every target says what it does, can be repeated, and ends with what to try next.
# CLUSTER=kind|embedded|current chooses the cluster (default: kind where it can run, else embedded).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

PYTHON = .venv/bin/python
PYTEST = .venv/bin/pytest
# The cluster and the demo need nothing but Python itself.
SYSTEM_PYTHON = $$(scripts/find-python.sh)

RUNS = 200
MINUTES = 60
NIGHTLY_SEEDS = 20000

# Hints are for people: with CI=true the last line is that of the tests.
next = @[ -n "$$CI" ] || printf 'next: %s\n' $(1)

.PHONY: help
help: ## Show this list
	@echo "Waypost: durable AI-agent workflows on Kubernetes"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Start with: make demo"

.PHONY: demo
demo: ## Waypost on a cluster, running a workflow with a human in it (YES=1: asks nothing)
	@$(SYSTEM_PYTHON) -m e2e.demo

.PHONY: test
test: venv ## Everything: without a cluster while one comes up, then the tests that need it
	@scripts/test.sh $(PYTEST_ARGS)
	$(call next,"make check (linters and types)" "make demo")

.PHONY: unit
unit: venv ## Tests that need no cluster (PYTEST_ARGS="-k joins -x")
	@echo "unit: tests that need no cluster"
	@$(PYTEST) tests -m "not real_api and not e2e and not browser and not nightly" -n auto --dist worksteal $(PYTEST_ARGS)
	$(call next,"make check" "make e2e (on a real cluster)")

.PHONY: ui
ui: venv ## Build the web interface (Node.js comes from the Python package index)
	@scripts/ui.sh
	$(call next,"waypost ui" "make ui-test")

.PHONY: docs
docs: venv ## Build the documentation as a site (build/site)
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=. .venv/bin/mkdocs build --quiet
	@echo "docs: build/site/index.html"
	$(call next,"PYTHONPATH=. .venv/bin/mkdocs serve (shows it while you write)")

.PHONY: ui-test
ui-test: venv ## Tests of the web interface in a real Chromium
	@scripts/ui.sh
	@$(PYTEST) tests/ui -n auto $(PYTEST_ARGS)
	$(call next,"make unit")

.PHONY: unit-313
unit-313: venv ## Tests on Python 3.13, the version of the images, with 10,000 evaluations
	@echo "unit-313: tests that need no cluster, on Python 3.13"
	@scripts/test-313.sh $(PYTEST_ARGS)
	$(call next,"make nightly")

.PHONY: simulate
simulate: venv ## Random workflows under random troubles, in virtual time (SEEDS=20000 SEED_START=0)
	@$(PYTHON) -m tests.simulation run --seeds $(or $(SEEDS),20000) --start $(or $(SEED_START),0)
	$(call next,"docs/simulation.md (how to read a failure)")

.PHONY: seeded-bugs
seeded-bugs: venv ## Break the operator on purpose: the simulator must notice each breakage
	@$(PYTHON) -m tests.simulation seeded-bugs
	$(call next,"make simulate")

.PHONY: e2e
e2e: venv ## Tests on a real cluster, brought up when needed
	@scripts/test.sh --only-cluster $(PYTEST_ARGS)
	$(call next,"make bench" "make clean (removes the cluster)")

.PHONY: nightly
nightly: venv ## What the gate only samples: other seeds and examples, all crash points, long chaos (STEPS="3 6")
	@NIGHTLY_SEEDS=$(NIGHTLY_SEEDS) SEED_START=$(or $(SEED_START),0) RUNS=$(RUNS) MINUTES=$(MINUTES) \
		scripts/nightly.sh $(STEPS)
	$(call next,"less build/chaos.json")

.PHONY: chaos
chaos: venv ## Runs under random faults on a real cluster (RUNS=200 MINUTES=60)
	@echo "chaos: $(RUNS) runs, faults for $(MINUTES) minutes"
	@$(PYTHON) -m e2e.chaos --runs $(RUNS) --minutes $(MINUTES) $(CHAOS_ARGS)
	$(call next,"less build/chaos.json")

.PHONY: crashpoints
crashpoints: venv ## Every write of a run disturbed, on a real API server; all of them
	@echo "crashpoints: every mutation, three ways; minutes"
	@$(PYTHON) -m e2e.cluster up
	@. scripts/cluster-env.sh && WAYPOST_CRASHPOINTS=all $(PYTEST) tests/crashpoints -s $(PYTEST_ARGS)
	$(call next,"make simulate (random workflows, in memory)")

.PHONY: bench
bench: venv ## Measure, and write build/bench.json
	@echo "bench: measuring on a real cluster; minutes"
	@$(PYTHON) -m e2e.cluster up
	@. scripts/cluster-env.sh && $(PYTHON) -m e2e.bench $(BENCH_ARGS)
	$(call next,"less build/bench.json")

.PHONY: check
check: venv ## Linters, formatting, types, layers, CRD drift, module length
	@scripts/check.sh
	$(call next,"make unit")

.PHONY: fmt
fmt: venv ## Format, and repair what the linter can repair
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .
	$(call next,"make check")

.PHONY: crds
crds: venv ## Write crds/, the chart's copy and the schemas in docs/ from the models
	@$(PYTHON) -m waypost.api.crd.generate
	@$(PYTHON) -m waypost.views.schema
	@$(PYTHON) -m waypost.api.crd.manifest_schema
	@mkdir -p charts/waypost/files/crds && rm -f charts/waypost/files/crds/*.yaml
	@cp crds/*.yaml charts/waypost/files/crds/
	@ls crds
	$(call next,"kubectl apply --server-side -f crds/" "make check")

.PHONY: licences
licences: venv ## Licences of what the images contain: fails if one is not on the list
	@$(PYTHON) -m scripts.supply.licences
	$(call next,"make audit" "make sbom")

.PHONY: audit
audit: venv ## Known vulnerabilities of what the images contain (asks OSV; needs the network)
	@$(PYTHON) -m scripts.supply.audit
	$(call next,"make sbom")

.PHONY: sbom
sbom: venv ## A bill of materials for each image, in build/sbom (VERSION=1.2.3)
	@$(PYTHON) -m scripts.supply.sbom --version $(or $(VERSION),dev)
	$(call next,"docs/security.md (supply chain)")

.PHONY: gitops
gitops: venv ## Write the settings of Argo CD from the scripts in charts/waypost/files/argocd
	@$(PYTHON) scripts/argocd_settings.py
	$(call next,"docs/gitops.md" "make check")

.PHONY: images
images: ## Build the images and load them into the cluster
	@$(SYSTEM_PYTHON) -m e2e.cluster images
	$(call next,"make demo" "make e2e")

.PHONY: cluster
cluster: ## A real Kubernetes on this machine, kubectl and helm for it
	@$(SYSTEM_PYTHON) -m e2e.cluster up
	@echo "tools: $$($(SYSTEM_PYTHON) -m e2e.cluster tools)"
	$(call next,"make images" "make clean (removes the cluster)")

.PHONY: clean
clean: ## Remove the cluster and what was built in this folder; downloads stay cached
	@$(SYSTEM_PYTHON) -m e2e.cluster down
	@rm -rf build dist operator/waypost/ui/static ui/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	$(call next,"python -m e2e.cluster down --purge (removes the cache too)")

# Makes .venv; nothing to do when uv.lock has not changed.
.PHONY: venv
venv:
	@scripts/bootstrap.sh
