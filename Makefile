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
	  --no-header --no-annotate --quiet -o constraints.txt

# Proofs: each writes docs/proofs/<name>.md. PROVE_ARGS=--reduced is the small form, which writes nothing.
PROVE := $(PY) -m benchmarks.
PROVE_ARGS ?=

.PHONY: prove-parity
prove-parity: .venv/ready ## proof: rule tests, replay, daemon and Faust give the same alerts (needs Kafka)
	@$(PROVE)prove_parity $(PROVE_ARGS)

.PHONY: prove-truth
prove-truth: .venv/ready ## proof: alerts against the labelled truth of simulated worlds
	@$(PROVE)prove_truth $(PROVE_ARGS)

.PHONY: prove-kill
prove-kill: .venv/ready ## proof: kills of the embedded daemon, at random and at every named place, change nothing
	@$(PROVE)prove_kill $(PROVE_ARGS)

.PHONY: prove-kill-kafka
prove-kill-kafka: .venv/ready ## proof: kills and stops of workers and dispatcher change nothing
	@$(PROVE)prove_kill_kafka $(PROVE_ARGS)

.PHONY: prove-speed
prove-speed: .venv/ready ## baseline: compiled rules against loops written by hand, memory per key
	@$(PROVE)speed $(PROVE_ARGS)

.PHONY: prove-speed-kafka
prove-speed-kafka: .venv/ready ## baseline: our Faust worker against Faust's agent and a bare loop
	@$(PROVE)speed_kafka $(PROVE_ARGS)

.PHONY: prove-bad-input
prove-bad-input: .venv/ready ## proof: bad records, a bad rule and bad declarations harm nothing else
	@$(PROVE)prove_bad_input $(PROVE_ARGS)

.PHONY: prove-new-user
prove-new-user: ## proof: a fresh clone, the demo, the tests, and the first rule by the README
	@benchmarks/prove_new_user.sh $(PROVE_ARGS)

.PHONY: prove-zombie
prove-zombie: .venv/ready ## proof: workers that were stopped beyond their session and woke harm nothing
	@$(PROVE)prove_zombie $(PROVE_ARGS)

.PHONY: prove-membership
prove-membership: .venv/ready ## proof: joins, leaves and rolling restarts lose nothing; how long a takeover takes
	@$(PROVE)prove_membership $(PROVE_ARGS)

.PHONY: prove-broker
prove-broker: .venv/ready ## proof: a broker that is away, flaps, or dies among three
	@$(PROVE)prove_broker $(PROVE_ARGS)

.PHONY: prove-embedded-faults
prove-embedded-faults: .venv/ready ## proof: full disk, locked folder, broken file and clock steps (as root)
	@$(PROVE)prove_embedded_faults $(PROVE_ARGS)

.PHONY: prove-pressure
prove-pressure: .venv/ready ## proof: poison, a hot key, a burst, a set clock, full disks on Kafka (as root)
	@$(PROVE)prove_pressure $(PROVE_ARGS)

.PHONY: prove-recovery
prove-recovery: .venv/ready ## figure: a million keys restored, against Faust's tables and a bare read
	@$(PROVE)prove_recovery $(PROVE_ARGS)

.PHONY: prove-throughput
prove-throughput: .venv/ready ## figure: end to end on Kafka, against Faust, Quix Streams and a bare loop
	@$(PROVE)prove_throughput $(PROVE_ARGS)

.PHONY: prove-latency
prove-latency: .venv/ready ## figure: event to alert over a bare consumer, and a rate held for ten minutes
	@$(PROVE)prove_latency $(PROVE_ARGS)

.PHONY: prove-reload
prove-reload: .venv/ready ## proof: edits of a thousand rules under load; bad ones are never live
	@$(PROVE)prove_reload $(PROVE_ARGS)

.PHONY: prove-check
prove-check: .venv/ready ## figure: how long check takes with 1,000 rules
	@$(PROVE)check_speed $(PROVE_ARGS)

.PHONY: prove-explain
prove-explain: .venv/ready ## figure: how long explain takes in a folder of 100,000 alerts
	@$(PROVE)explain_speed $(PROVE_ARGS)

.PHONY: prove-city-day
prove-city-day: .venv/ready ## proof: ten thousand alerts of a day at the desk, people who lapse, every limit, the audit
	@$(PROVE)prove_city_day $(PROVE_ARGS)

.PHONY: prove-desk-store
prove-desk-store: .venv/ready ## figure: lists, search and one case among 100,000 alerts; damages of the audit
	@$(PROVE)prove_desk_store $(PROVE_ARGS)

.PHONY: prove-api
prove-api: .venv/ready ## proof: every route of the API with every role and with anything at all
	@$(PROVE)prove_api $(PROVE_ARGS)

.PHONY: prove-connectors
prove-connectors: .venv/ready ## proof: twelve ways in which a peer misbehaves, and an hour's queue drained
	@$(PROVE)prove_connectors $(PROVE_ARGS)

.PHONY: prove-gateways
prove-gateways: .venv/ready ## proof: a thousand terminals; what is acknowledged is kept
	@$(PROVE)prove_gateways $(PROVE_ARGS)

.PHONY: prove-fuzz
prove-fuzz: .venv/ready ## proof: ten minutes of fuzzing each of declarations and expressions
	@$(PROVE)fuzz_declarations $(PROVE_ARGS)

.PHONY: prove-soak
prove-soak: .venv/ready ## figure: an hour at half load, memory and lag sampled
	@$(PROVE)prove_soak $(PROVE_ARGS)

.PHONY: prove-all
prove-all: prove-truth prove-bad-input prove-parity prove-kill prove-kill-kafka prove-speed prove-speed-kafka prove-new-user ## all of these
