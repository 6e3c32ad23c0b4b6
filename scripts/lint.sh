#!/usr/bin/env bash
# Runs every check of the source. All run, also when one fails; the exit status tells whether any did.
set -uo pipefail

export CGO_ENABLED=0 # as the product is built
status=0

# check runs a command that must succeed and write nothing to its standard output.
check() {
    echo "lint: $*"
    local output
    if ! output=$("$@") || [ -n "$output" ]; then
        printf '%s\n' "$output"
        echo "lint: $* found something" >&2
        status=1
    fi
}

check gofmt -l .
check go vet ./...
check go fix -diff ./...
check go tool -modfile=tools.mod staticcheck ./...
exit $status
