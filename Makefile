# Everything a developer does. Targets with a ## comment are listed by `make help`.
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0

BIN := bin/lapse
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help
help: ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/' | expand -t 18

.PHONY: build
build: ## Build the program into bin/
	go build -trimpath -o $(BIN) ./cmd/lapse

.PHONY: engine
engine: build ## Install the embedded ClickHouse (once; into the user's cache)
	$(BIN) engine install

.PHONY: demo
demo: engine ## Live through eighteen months of a made-up company's data
	$(BIN) demo

# Without the right to install them the tests that need them say so, and are left out.
.PHONY: tools
tools: ## Install the Debian packages that some tests run
	@if command -v strace >/dev/null && command -v java >/dev/null && [ -e /usr/share/java/zookeeper.jar ]; then exit 0; fi; \
	as=; [ "$$(id -u)" = 0 ] || as='sudo -n'; \
	$$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends strace zookeeper default-jre-headless || \
	echo 'strace, zookeeper and a Java runtime could not be installed: the tests that need them are left out'

# In memory where there is room, a sixth faster: what the tests wait for is mostly files
# being made and removed.
.PHONY: test
test: engine tools ## Run every test
	if [ -w /dev/shm ] && [ "$$(df --output=avail -BG /dev/shm | tail -1 | tr -dc 0-9)" -ge 12 ]; then export TMPDIR=/dev/shm; fi; \
	go test -tags failpoints -timeout 30m ./...

.PHONY: soak
soak: engine ## Run the long fault tests
	LAPSE_SOAK=1 go test -count=1 -timeout 60m ./sinks/auditlog
	LAPSE_SOAK=1 go test -count=1 -timeout 60m ./sinks/spool
	LAPSE_SOAK=1 go test -count=1 -timeout 60m -run 'RequirementsHold|ItemsAreDue' ./sinks/clickhouse
	LAPSE_SOAK=1 go test -count=1 -timeout 60m -run 'NoEffect|DirtyInput|BesideItself' ./jobs
	LAPSE_SOAK=1 go test -count=1 -timeout 60m -run Optimum ./jobs/kanon
	LAPSE_SOAK=1 go test -count=1 -timeout 120m -tags failpoints ./cmd/lapse # ten minutes of a schedule of seconds, too

.PHONY: soak-slice
soak-slice: engine ## Run a short slice of the long fault tests
	LAPSE_SOAK=1 go test -count=1 -timeout 20m ./sinks/spool
	LAPSE_SOAK=1 go test -count=1 -timeout 20m -run DirtyInput ./jobs

.PHONY: bench
bench: engine ## Measure, in ratios against something run beside it
	go test -run '^$$' -bench . -benchtime 1x ./...

.PHONY: bench-kanon
bench-kanon: ## Measure the search for levels on the Adult data, where it is there
	go test -run '^$$' -bench Adult -benchtime 3x ./jobs/kanon

.PHONY: bench-audit
bench-audit: ## Measure the audit log: appends, verification beside SHA-256, proofs
	go test -run '^$$' -bench 'DurableAppends|OneAppend' -benchtime 3s ./sinks/auditlog
	go test -run '^$$' -bench VerifyMillion -benchtime 5x ./sinks/auditlog
	go test -run '^$$' -bench Proof -benchtime 2000x ./sinks/auditlog

.PHONY: bench-collect
bench-collect: ## Measure the collector: 50-event batches over 32 connections, each durable
	go test -run '^$$' -bench BenchmarkCollect -benchtime 6000x ./cmd/lapse

# In memory where there is room: the disk of a busy machine would be most of the time.
.PHONY: bench-purge
bench-purge: engine ## Purge 100,000 objects from an S3 server, beside a client that only deletes them
	if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi; \
	LAPSE_BENCH_OBJECTS=$${LAPSE_BENCH_OBJECTS:-100000} go test -run '^$$' -bench '^BenchmarkPurge$$' -benchtime 1x -timeout 60m ./jobs && \
	go test -run '^$$' -bench PlanPurge -benchtime 3x ./jobs && \
	go test -run '^$$' -bench PurgeMillion -benchtime 1x -timeout 60m ./jobs

.PHONY: bench-anonymise
bench-anonymise: engine ## Anonymise 3.4 million events of a day and 20 million of a year, beside ClickHouse's bare ways
	LAPSE_BENCH_EVENTS=$(or $(EVENTS),3400000) go test ./jobs -run '^$$' -bench '^Benchmark(Plan)?Anonymise$$' -benchtime 1x -timeout 60m
	LAPSE_BENCH_EVENTS=$(or $(YEAR),20000000) go test ./jobs -run '^$$' -bench '^BenchmarkAnonymiseYear$$' -benchtime 1x -timeout 60m

.PHONY: bench-erase
bench-erase: engine ## Erase 1,000 people from 50 million events, beside one bare ALTER … DELETE
	LAPSE_BENCH_EVENTS=$(or $(EVENTS),50000000) go test ./jobs -run '^$$' -bench ErasePeople -benchtime 1x -timeout 120m

.PHONY: bench-ingest
bench-ingest: engine ## Measure ingest against ClickHouse reading the same file itself
	if [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi; \
	LAPSE_BENCH_EVENTS=$(or $(EVENTS),1000000) go test ./jobs -run '^$$' -bench '^BenchmarkIngest$$' -benchtime 1x -timeout 60m

.PHONY: lint
lint: ## Check formatting, go vet and golangci-lint
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	go vet ./...
	go vet -tags failpoints ./...
	go vet -tags noengine ./...
	go run $(GOLANGCI) run

.PHONY: schema
schema: ## Write the policy's JSON Schema anew from the types
	go test ./config -run TestPublishedSchema -update

.PHONY: clean
clean: ## Remove what was built and the demo
	rm -rf bin demo
