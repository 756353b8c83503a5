# Borderpost. `make help` lists the targets; each does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

.PHONY: setup
setup: $(READY) ## make .venv from the hash-pinned lock (the other targets do this by themselves)

# uv installs the lock (no compiler needed: every part is a wheel or plain Python), then the project itself.
$(READY): requirements.lock requirements-bootstrap.lock pyproject.toml
	@echo "[set-up 1/4] .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit(f"Borderpost needs Python 3.11, and $(PYTHON) is {v[0]}.{v[1]}: name another with  make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv .venv
	@echo "[set-up 2/4] uv, the installer"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bootstrap.lock
	@echo "[set-up 3/4] libraries by hash, about 700 MB on disk"
	@$(BIN)/uv pip sync --python $(BIN)/python --quiet --no-build-isolation --require-hashes requirements.lock
	@echo "[set-up 4/4] Borderpost itself"
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: ## resolve pyproject.toml anew into the two lock files (hashes, no host)
	$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --all-extras --group dev --override overrides.txt \
	  --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --output-file requirements.lock
	grep -E '^(uv|setuptools)==' requirements.lock | tr -d ' \\' | $(BIN)/uv pip compile --quiet - \
	  --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --output-file requirements-bootstrap.lock
	@! grep -nE '[a-z]+://' requirements.lock requirements-bootstrap.lock

PROTOC = cd protos && ../$(BIN)/python -m grpc_tools.protoc -I . \
  --plugin=protoc-gen-mypy=../$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=../$(BIN)/protoc-gen-mypy_grpc

.PHONY: proto
proto: $(READY) ## generate services/borderpost/v1 from protos/
	$(call generate,$(CURDIR)/services)

.PHONY: proto-check
proto-check: $(READY) ## prove that the committed generated code is what protos/ generates
	@rm -rf .cache/proto && mkdir -p .cache/proto
	@$(call generate,$(CURDIR)/.cache/proto)
	@diff -r --exclude __init__.py --exclude __pycache__ .cache/proto/borderpost/v1 services/borderpost/v1 \
	  || { echo "services/borderpost/v1 is not what protos/ generates: run 'make proto' and commit"; exit 1; }

define generate
$(PROTOC) --python_out=$(1) --mypy_out=$(1) --grpc_python_out=$(1) --mypy_grpc_out=$(1) borderpost/v1/*.proto 2>&1 | (grep -v '^Writing' || true)
endef
