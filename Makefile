# The commands everybody runs. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PY := .venv/bin/python
SAY := @printf '\n== %s\n'

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-22s %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/ready ## make the virtual environment with every pinned dependency

.venv/ready: constraints.txt pyproject.toml deploy/setup.sh
	@bash deploy/setup.sh

.PHONY: demo
demo: .venv/ready ## a simulated city through the daemon into a receiver that prints each alert
	$(SAY) 'demo: feeds in, rules, alerts out, on one machine and without a broker'
	@$(PY) -m engine demo

.PHONY: demo-kafka
demo-kafka: .venv/ready ## the same on Apache Kafka with two Faust workers
	$(SAY) 'demo-kafka: the same city through Kafka and two Faust workers'
	@$(PY) -m engine demo --kafka

.PHONY: test
test: .venv/ready ## every test that needs Python only (Kafka tests run where Java and Maven are)
	$(SAY) 'test: unit tests, properties, golden files, rule packs'
	@$(PY) -m pytest -q $(PYTEST_ARGS)
	@echo 'test: all passed'

.PHONY: fmt
fmt: .venv/ready ## format the code
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

.PHONY: lint
lint: .venv/ready ## ruff: style, names, banned calls
	$(SAY) 'lint: ruff'
	@.venv/bin/ruff format --check . && .venv/bin/ruff check .

.PHONY: types
types: .venv/ready ## mypy --strict over everything
	$(SAY) 'types: mypy --strict'
	@.venv/bin/mypy

.PHONY: layers
layers: .venv/ready ## who may import whom
	$(SAY) 'layers: import contracts'
	@.venv/bin/lint-imports

.PHONY: packs
packs: .venv/ready ## check and test the shipped rule packs
	$(SAY) 'packs: check and test rules/'
	@.venv/bin/forewarn check rules --strict
	@.venv/bin/forewarn test rules

.PHONY: check
check: lint types layers packs test ## all of the above

.PHONY: golden
golden: .venv/ready ## rewrite the golden files; read the difference as prose before you commit it
	@GOLDEN=write $(PY) -m pytest -q tests -k golden || true

.PHONY: wheel
wheel: .venv/ready ## build the wheel
	@rm -rf dist && .venv/bin/python -m hatchling build

.PHONY: constraints
constraints: ## resolve the pins anew (needs uv)
	@uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet -o constraints.txt
