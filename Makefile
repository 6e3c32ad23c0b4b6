# build   the program, bin/watchdog
# test    what a change must pass: installs what the tests need, checks the source, runs the tests
# test-all  the tests with those that take long: soaks, long fuzzing, millions of rows
# test-kubernetes  the manifests against Kubernetes' own types and schemas: two minutes the first time
# release  archives for linux amd64 and arm64, and their checksums, in dist
# image   the container image, by docker or another BUILDER (podman, buildah)
# soak    FAULTS faults to real processes and databases, 10 000 unless told otherwise: hours
# demo    the incident, happening and not happening
# figures  docs/performance.md, measured on this machine, in a quarter of an hour in which it should do nothing else; a pass
#          goes over JOBS jobs, a million unless told otherwise
# lint, deps, bench, fuzz, clean

GO ?= go
GOTESTFLAGS ?=
FUZZTIME ?= 30s
FAULTS ?= 10000
JOBS ?= 1000000
BUILDER ?= docker
IMAGE ?= ghcr.io/finalizer-watchdog/watchdog
VERSION ?= $(shell git describe --tags --always --dirty)
COMMIT ?= $(shell git rev-parse HEAD)

.PHONY: build test test-all test-kubernetes release image soak demo lint deps bench figures fuzz clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/watchdog ./cmd/watchdog

# go vet is lint's: go test need not repeat it.
test:
	./scripts/install-test-deps.sh
	./scripts/lint.sh
	CGO_ENABLED=1 $(GO) test -race -vet=off -timeout 10m $(GOTESTFLAGS) ./...

test-all: export WATCHDOG_TEST_ALL = 1
test-all:
	WATCHDOG_TEST_ALL=1 ./scripts/install-test-deps.sh
	./scripts/lint.sh
	CGO_ENABLED=1 $(GO) test -race -vet=off -count=1 -timeout 2h $(GOTESTFLAGS) ./...
	$(MAKE) test-kubernetes

# A module of its own. What it reads lies outside of it, so a result of yesterday says nothing.
test-kubernetes: export CGO_ENABLED = 0
test-kubernetes:
	cd tests/kubernetes && $(GO) vet . && $(GO) test -vet=off -count=1 $(GOTESTFLAGS) .

release:
	VERSION=$(VERSION) COMMIT=$(COMMIT) ./scripts/release.sh dist

image:
	$(BUILDER) build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --tag $(IMAGE):$(VERSION) .

soak:
	WATCHDOG_TEST_ALL=1 FAULTS=$(FAULTS) $(GO) test -count=1 -run '^TestFaults$$' -timeout 12h -v ./tests/faults

demo:
	$(GO) run ./cmd/watchdog demo

lint:
	./scripts/lint.sh

deps:
	./scripts/install-test-deps.sh

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

figures:
	./scripts/install-test-deps.sh
	FIGURES=$(CURDIR)/docs/performance.md FIGURES_JOBS=$(JOBS) $(GO) test -count=1 -run '^TestFigures$$' -timeout 2h -v ./tests/bench

fuzz:
	./scripts/fuzz.sh $(FUZZTIME)

clean:
	rm -rf bin dist
