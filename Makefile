.PHONY: mutants test race servers stores lint fuzz build soak bench

# Everything that a change has to pass. It needs nothing but Go, and Python's
# pip for SeaweedFS, without which it leaves that server out.
test:
	go run ./internal/testall

# The servers that tests run against, into .cache/bin or $MINDREG_CACHE.
servers:
	go run ./internal/testall servers

# Servers too heavy for every run: Ceph's gateway, which has to pass what MinIO
# does, and s3proxy, which has to be refused. It needs Linux, apt-get (and root,
# if Ceph is not installed), Java 17 and Maven.
CACHE = $(or $(MINDREG_CACHE),$(CURDIR)/.cache)
stores:
	command -v radosgw || apt-get install -y --no-install-recommends radosgw ceph-osd ceph-mon ceph-common
	mvn -q -B -f tools/s3proxy/pom.xml dependency:copy-dependencies -DoutputDirectory=$(CACHE)/s3proxy
	MINDREG_TEST_STORES=$(CACHE)/s3proxy go test -count 1 -v -timeout 30m \
	-run '^(TestContract|TestS3ProxyRefused|TestEveryVerbOnEveryBackend|TestEveryCommandOnEveryBackend)$$/^(file|ceph)$$' ./store/s3store . ./cmd/mindreg

# Every test that needs no server, with all its data, under the race detector.
race:
	go test -race -timeout=60m ./...

# One mistake after another, each of which a test has to notice.
mutants:
	go run ./internal/mutants

# The command, in bin/. Without cgo it runs on any Linux, and starts faster.
build:
	CGO_ENABLED=0 go build -o bin/mindreg ./cmd/mindreg

# staticcheck alone: it finds bugs; matters of taste are for reviews. The
# version is pinned in tools/lint/go.mod.
lint:
	cd tools/lint && go build -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...

# Each fuzz target for a while: make fuzz FUZZTIME=10m
FUZZTIME ?= 30s
fuzz:
	go run ./internal/fuzzall $(FUZZTIME)

# What docs/guarantees.md promises, for long: so many simulated schedules of
# each scenario, power lost at every step of so many random histories, and
# then each proof on the real stores for a while.
SOAK ?= 5m
SCHEDULES ?= 100000
POWER ?= 40
soak:
	go test ./internal/sim -run TestSoak -timeout 0 -schedules $(SCHEDULES)
	MINDREG_POWER=$(POWER) go test ./store/filestore -run 'TestPowerLoss$$' -timeout 0
	export "$$(go run ./internal/testall servers | tail -n 1)" && \
	MINDREG_SOAK=$(SOAK) go test -count 1 -p 1 -timeout 0 -v -run '^(TestSoak|TestKilledSavers|TestProcessesSavingOneName|TestProcessesAreKilled|TestHistories|TestOneNameServerKilled|TestProcessesKilled|TestEveryVerbThroughFaults|TestStoriesThroughFaults)$$' . ./internal/lease ./internal/proofs

# Mindreg beside what else one would use, by turns, into docs/benchmarks.md.
# To try it out: make bench BENCHFLAGS='-quick -only save'
bench:
	go run -C bench . $(BENCHFLAGS)
