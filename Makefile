.PHONY: test servers lint fuzz build soak

# Everything that a change has to pass. It needs nothing but Go.
test:
	go run ./internal/testall

# The servers that tests run against, into .cache/bin or $MINDREG_CACHE.
servers:
	go run ./internal/testall servers

# The command, in bin/.
build:
	go build -o bin/mindreg ./cmd/mindreg

# staticcheck alone: it finds bugs; matters of taste are for reviews. The
# version is pinned in tools/lint/go.mod.
lint:
	cd tools/lint && go build -o ../../bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...

# Each fuzz target for a while: make fuzz FUZZTIME=10m
FUZZTIME ?= 30s
fuzz:
	go run ./internal/fuzzall $(FUZZTIME)

# What docs/guarantees.md promises, for long: simulated schedules of each
# scenario, and then each proof on the real stores for a while. With the
# defaults it takes some hours.
SOAK ?= 5m
SCHEDULES ?= 1000000
soak:
	go test ./internal/sim -run TestSoak -timeout 0 -schedules $(SCHEDULES)
	export "$$(go run ./internal/testall servers | tail -n 1)" && \
	MINDREG_SOAK=$(SOAK) go test -count 1 -p 1 -timeout 0 -v -run '^(TestSoak|TestProcessesAreKilled|TestHistories|TestOneNameServerKilled|TestProcessesKilled|TestEveryVerbThroughFaults)$$' . ./lease ./internal/proofs
