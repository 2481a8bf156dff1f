# Needs Python 3.11 or newer and make; nothing else, no root, no network but the package index.
# `make demo` and `make test` do their own set-up. PYTHON=python3.12 chooses another interpreter.

PYTHON ?= python3
OUT ?= preflight-out
REPEAT ?= 5
SECONDS ?= 20
TARGETS ?= all
VENV := .venv
TEST_VENV := .venv-test
DIST := dist/.built
SOURCES := $(shell find preflight checks reports docs -type f -not -name '*.pyc' 2>/dev/null) README.md LICENSE
PYTEST := PYTHONSAFEPATH=1 $(TEST_VENV)/bin/python -P -m pytest --import-mode=importlib
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test e2e e2e-cluster bench network lab-shell fuzz lint format types contracts docs dist image clean

help: ## what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.all ## the main job on the embedded Azure: OUT/report.html and OUT/run.json
	$(VENV)/bin/preflight demo --out $(OUT)

test: $(TEST_VENV)/.installed ## the tests, against the installed wheel
	PREFLIGHT_DIST=dist $(PYTEST) -m "not e2e and not cluster"

e2e: $(TEST_VENV)/.installed ## the tests that need root, namespaces or a browser; with KUBECONFIG those in the cluster too
	PREFLIGHT_DIST=dist $(PYTEST) -m e2e
	@if [ -n "$(CLUSTER_KIT)$(KUBECONFIG)" ]; then $(MAKE) e2e-cluster; \
	  else echo "neither KUBECONFIG nor CLUSTER_KIT names a cluster: the tests in one are left out"; fi

bench: $(VENV)/.all ## preflight beside its peers, about 20 minutes; installs the peers (root); REPEAT=5
	$(VENV)/bin/python -m bench --repeat $(REPEAT)

e2e-cluster: $(TEST_VENV)/.installed ## runs in the cluster of KUBECONFIG, or of CLUSTER_KIT=DIR with its firewall; ARGS='-k NAME'
	PYTHON=$(PYTHON) TEST_PYTHON=$(TEST_VENV)/bin/python tools/e2e_cluster.sh $(ARGS)

network: $(TEST_VENV)/.installed ## scenarios in a real network: namespaces, nftables, real software (root, or user namespaces)
	PYTHONPATH=tests $(TEST_VENV)/bin/python -m bed.install
	$(PYTEST) tests/e2e/network --part 1/2 & other=$$!; $(PYTEST) tests/e2e/network --part 2/2; mine=$$?; wait $$other && exit $$mine

lab-shell: $(VENV)/.dev ## a shell in that network: SCENARIO=name or FAULT='mcr.layers=tls.reset-after-hello'
	@PYTHONPATH=tests $(VENV)/bin/python -m bed.shell $(SCENARIO) $(FAULT)

fuzz: $(VENV)/.fuzz ## the parsers under atheris; SECONDS=20 for each of TARGETS=all
	PYTHONPATH=tests $(VENV)/bin/python -m fuzz $(TARGETS) --seconds $(SECONDS)

lint: $(VENV)/.dev ## ruff: rules and format
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/.dev ## ruff: mend what can be mended
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(VENV)/.dev ## mypy --strict
	$(VENV)/bin/mypy --strict

contracts: $(VENV)/.dev ## layers: a module imports only from the layers below it
	$(VENV)/bin/lint-imports

docs: $(VENV)/.dev ## generated pages are up to date, cause pages complete, links and commands real
	@for generator in tools/generate_*.py; do echo "$$generator --check"; $(VENV)/bin/python "$$generator" --check || exit 1; done
	$(VENV)/bin/python tools/check_docs.py

dist: $(DIST) ## wheel and sdist, in dist/

image: $(DIST) ## both container images, with buildah (root; see tools/build_image.sh)
	PYTHON=$(PYTHON) tools/build_image.sh

clean: ## everything that was made here
	rm -rf $(VENV) $(TEST_VENV) dist build $(OUT) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz
	find preflight tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: each environment is installed once and again only when pyproject.toml changes, so that an existing one
# works with the network unplugged. The editable install takes code changes by itself.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "preflight needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/.all: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP_INSTALL) --editable '.[all]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python $(PIP_INSTALL) --editable '.[dev]' 'hatchling>=1.24'
	touch $(VENV)/.all $@

$(VENV)/.fuzz: pyproject.toml | $(VENV)/.dev
	$(VENV)/bin/python $(PIP_INSTALL) --editable '.[fuzz]'
	touch $@

$(DIST): pyproject.toml $(SOURCES) | $(VENV)/.dev
	rm -rf dist
	$(VENV)/bin/python -m build --no-isolation --outdir dist .
	touch $@

# The suite runs against what users get: the wheel, in an environment that has never seen the checkout.
$(TEST_VENV)/bin/python: pyproject.toml
	rm -rf $(TEST_VENV)
	$(PYTHON) -m venv $(TEST_VENV) || { rm -rf $(TEST_VENV); exit 2; }
	touch $@

$(TEST_VENV)/.installed: $(DIST) $(TEST_VENV)/bin/python
	$(TEST_VENV)/bin/python -m pip uninstall --quiet --yes azureml-aks-preflight
	$(TEST_VENV)/bin/python $(PIP_INSTALL) "$$(echo dist/*.whl)[dev]"
	touch $@
