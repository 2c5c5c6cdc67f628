.PHONY: test servers lint fuzz build bench

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

# Mindreg beside what else one would use, by turns, into docs/benchmarks.md.
# To try it out: make bench BENCHFLAGS='-quick -only save'
bench:
	go run -C bench . $(BENCHFLAGS)
