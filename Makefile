# `make` alone lists what there is. Everything a target needs that the machine lacks is fetched or built once into a cache outside
# the work tree (see scripts/lib.sh); a Debian package that is missing is installed as root, or the command to do so is printed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

REPORTS := build/reports
NODE := . scripts/lib.sh; need_node; PATH=$$PWD/node_modules/.bin:$$PATH;
JEST := mkdir -p $(REPORTS); NODE_OPTIONS=--experimental-vm-modules UV_THREADPOOL_SIZE=16 NODE_NO_WARNINGS=1 jest

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Prepare the checkout: Node 24, npm packages, the native Kafka client
	@scripts/setup

.PHONY: demo
demo: ## Watch it work: a real Kafka, policies enforced, messages delayed (about a minute; KAFKA_BOOTSTRAP uses yours)
	@scripts/demo

.PHONY: check
check: types lint imports format generated unit ## Everything fast: types, lint, import rules, format, generated files, unit tests

.PHONY: types lint imports format generated unit integration
types: setup
	@$(NODE) say 'types'; tsc -p .
lint: setup
	@$(NODE) say 'lint'; eslint --max-warnings 0 .
imports: setup
	@$(NODE) say 'import rules'; depcruise --config .dependency-cruiser.cjs --output-type err-long src
format: setup
	@$(NODE) say 'format'; prettier --check --log-level warn .
generated: setup
	@scripts/generate --check
unit: setup
	@$(NODE) say 'unit tests'; $(JEST) --selectProjects unit --json --outputFile=$(REPORTS)/unit.json
integration: setup
	@scripts/integration

.PHONY: test
test: check mutations integration ## check, the mutations, then a real Kafka, a real kube-apiserver, the chart, the alert rules (about 10 minutes; the first run builds tools)

.PHONY: e2e
e2e: setup ## A whole Kubernetes with real pods: chart installed, a message delayed through a worker pod that is killed
	@$(NODE) node --disable-warning=TimeoutNegativeWarning e2e/run.ts

.PHONY: bench
bench: setup ## Run the benchmarks (BENCH=policy for one); results as JSON in bench/results
	@scripts/bench $(BENCH)

.PHONY: simulate
simulate: setup ## Run clusters of workers on a model of Kafka in virtual time (SEEDS=10000; SEED=7 for one, with its trace; KIND=DelayQueue, DeadLetterPipeline or DeadLetterRedrive)
	@$(NODE) node test/simulation/run.ts --seeds "$(or $(SEEDS),1000)" $(if $(SEED),--seed "$(SEED)") $(if $(KIND),--kind "$(KIND)")

.PHONY: mutations
mutations: setup ## Put deliberate bugs into copies of the tree: the simulator must find each
	@$(NODE) node test/mutations/run.ts

.PHONY: torture
torture: setup ## Kill, stop and cut off delay queue workers on real brokers, and judge (MINUTES=5 BROKERS=1 or 3, SEED=n, RATE=100)
	@scripts/torture "$(or $(MINUTES),5)" "$(or $(BROKERS),1)" "$(SEED)"

.PHONY: generate
generate: setup ## Write what is generated: CRDs, the chart's CRD templates, manifests/install.yaml
	@scripts/generate

.PHONY: fix
fix: setup ## Format the code and apply the lint fixes that are safe
	@$(NODE) prettier --write --log-level warn .; eslint --fix .

.PHONY: clean
clean: ## Remove what the build and the tests left in the checkout (node_modules and the tool cache stay)
	@rm -rf build bench/results .sluice
