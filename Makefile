# `make demo` and `make test` require Python 3.11 or newer only; they create an
# environment in .venv (`make demo VENV=/some/path`: elsewhere).

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

run = $(VENV)/bin/python -m
oldest = $(VENV)/oldest/bin/python -m
install = $(run) pip install -qq --constraint constraints.txt \
	--build-constraint constraints.txt

.PHONY: help demo studies-quick studies test test-slow oldest check format lint types constraints \
	docs docs-serve release-check matrix platforms test-platforms gpu

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile | expand -t 20

# Level 1 compiles in half the time, and trains as fast.
demo: export XLA_FLAGS ?= --xla_backend_optimization_level=1
demo: $(VENV)/demo ## Train six activations on real images and write a report
	@$(run) experiments run configs/quickstart.toml

studies-quick: $(VENV)/demo ## Run every study with --quick and write its report
	@$(run) experiments all --quick

studies: $(VENV)/demo ## Run every study: some three hours
	@$(run) experiments all

# `make test-slow` and repeated runs reuse the compiled programs.
test test-slow: export JAX_COMPILATION_CACHE_DIR := \
	$(or $(JAX_COMPILATION_CACHE_DIR),$(CURDIR)/.cache/jax)

test: $(VENV)/dev ## Run the tests that are not marked slow; ARGS="-k silu" selects some
	$(run) pytest -n auto --durations=10 -m "not slow" $(ARGS)

test-slow: $(VENV)/dev ## Run the slow tests: trainings, faults, plots, exports
	$(run) pytest -n auto --durations=10 -m slow $(ARGS)

# mkdocs builds strictly: a broken link or reference is an error.
docs: $(VENV)/docs ## Build the documentation in build/site
	$(run) mkdocs build

docs-serve: $(VENV)/docs ## Show the documentation, rebuilt on every change
	$(run) mkdocs serve

release-check: $(VENV)/release ## Build the distributions and check what a user gets
	$(run) tools.release $(ARGS)

matrix: $(VENV)/demo ## Run property tests on several versions of Python, JAX and Flax
	$(run) tools.matrix $(ARGS)

platforms: $(VENV)/gpu/ready $(VENV)/tpu/ready ## Install compilers for GPUs and TPUs (proprietary: CUDA, libtpu)

test-platforms: $(VENV)/dev platforms ## Compile every function for a GPU and a TPU
	$(run) pytest -n auto -m platform $(ARGS)

gpu: $(VENV)/cuda/ready ## Measure accuracy, time and memory on a CUDA device: 8 minutes
	$(VENV)/cuda/bin/python -m benchmarks.gpu $(ARGS)
	$(VENV)/cuda/bin/python -m benchmarks.pages.gpu

oldest: $(VENV)/pip ## Run a subset of the tests with the lowest versions of pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)/oldest
	$(oldest) pip install -qq --upgrade pip packaging
	$(oldest) tools.oldest experiments,plots,testing > $(VENV)/oldest/constraints.txt
	$(oldest) pip install -qq --constraint $(VENV)/oldest/constraints.txt \
		--editable '.[experiments,plots,testing]' pytest pytest-xdist cloudpickle psutil
	$(oldest) pytest -n auto -o filterwarnings=default -m "not slow" \
		-k "silu or bound or commands" tests/functional/test_properties.py \
		tests/core/test_bound.py tests/flax/test_forms.py tests/cli/test_commands.py
	$(oldest) experiments run configs/quickstart.toml --quick --fresh \
		--out $(VENV)/oldest/run

check: format lint types ## Check the format, the style and the types

format: $(VENV)/dev
	$(run) ruff format --check

lint: $(VENV)/dev
	$(run) ruff check

types: $(VENV)/docs
	$(run) basedpyright --pythonpath $(VENV)/bin/python

# Marker files of completed set-up steps.

$(VENV)/pip: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Makefile: expected Python 3.11 or newer; make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(run) pip install -qq --upgrade --constraint constraints.txt pip
	@touch $@

$(VENV)/demo: $(VENV)/pip pyproject.toml
	$(install) --editable '.[experiments]'
	@touch $@

$(VENV)/dev: $(VENV)/demo
	$(install) --editable '.[experiments,plots,testing]' --group dev
	@touch $@

$(VENV)/docs $(VENV)/release: $(VENV)/%: $(VENV)/dev
	$(install) --group $*
	@touch $@

# An environment per accelerator plugin: `import jax` tries all that it finds.
$(VENV)/%/ready: $(VENV)/pip pyproject.toml
	$(PYTHON) -m venv $(VENV)/$*
	$(VENV)/$*/bin/python -m pip install -qq --upgrade --constraint constraints.txt pip
	$(VENV)/$*/bin/python -m pip install -qq --constraint constraints.txt \
		--build-constraint constraints.txt \
		--editable '.[cli,flax,testing]' --group $*
	@touch $@

newest = $(VENV)/newest/bin/python -m pip

constraints: ## Renew constraints.txt with the newest versions
	$(PYTHON) -m venv --clear $(VENV)/newest
	$(newest) install -qq --upgrade pip
	$(newest) install -qq hatchling hatch-fancy-pypi-readme editables \
		--editable '.[experiments,plots,testing]' --group dev \
		--group docs --group release
	echo '# Made by `make constraints`.' > constraints.txt
	$(newest) freeze --all --exclude setuptools --exclude-editable >> constraints.txt
