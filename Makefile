# This list of targets.
.PHONY: help
help:
	@awk '/^# / {said = said " " substr($$0, 3); next} /^[A-Z]+ *[?:]?=|^.PHONY/ {next} \
	/^[a-z]+:/ {sub(/:.*/, ""); split(said, first, /\. |\.$$|: /); printf "%-9s%s\n", $$0, first[1]} {said = ""}' Makefile

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

# One mistake after another in a copy of the code, each of which a test has to
# notice. The lists are in internal/mutants/lists.
mutants:
	export "$$(go run ./internal/testall servers | tail -n 1)" && \
	go run ./internal/mutants

# The command, in bin/. Without cgo it runs on any Linux, and starts faster.
build:
	CGO_ENABLED=0 go build -o bin/mindreg ./cmd/mindreg

# Linters that find bugs: staticcheck, and those of .golangci.yml, each with its
# reason there. Matters of taste are for reviews.
lint: tool-lint tool-golangci tool-actionlint
	bin/staticcheck ./...
	bin/golangci-lint run ./...
	bin/actionlint

# Known vulnerabilities that the code reaches. It asks vuln.go.dev.
.PHONY: vuln
vuln: tool-vuln
	bin/govulncheck ./...

# What tools/NAME pins, in bin/.
tool-%:
	go build -C tools/$* -o $(CURDIR)/bin/ tool

# What the short tests execute of what the command links and of the packages
# beside it: the total, and bin/cover.html.
.PHONY: cover
cover:
	mkdir -p bin
	go test -short -coverprofile bin/cover.out ./... > bin/cover.txt \
	-coverpkg "$$(go list -deps ./cmd/mindreg ./store/... ./material/... | grep '^github.com/mindtrace/registry' | paste -s -d , -)" \
	|| { cat bin/cover.txt; exit 1; }
	go tool cover -html bin/cover.out -o bin/cover.html
	go tool cover -func bin/cover.out | tail -n 1

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

# The man pages, in bin/man, and the completions of shells, in bin/completions.
# Their date is that of the commit.
.PHONY: man
man:
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) go run ./cmd/mindreg docs bin

# The licences of all that the command links, in bin/THIRD_PARTY.txt.
.PHONY: notices
notices:
	mkdir -p bin
	go run ./internal/notices > bin/THIRD_PARTY.txt

# A release in dist/ for six platforms, as .goreleaser.yaml says, published
# nowhere.
.PHONY: dist
dist: tool-release tool-sbom
	PATH="$(CURDIR)/bin:$$PATH" bin/goreleaser release --snapshot --clean

# The release of a tag that is checked out, as a draft. It needs $GITHUB_TOKEN.
.PHONY: release
release: tool-release tool-sbom
	PATH="$(CURDIR)/bin:$$PATH" bin/goreleaser release --clean
