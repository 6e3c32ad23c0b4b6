#!/bin/sh
# Builds the program as it is released: static, without debugging symbols, and to the same bytes wherever and whenever
# it is built from the same commit by the same Go.
#
#   VERSION=v1.2.3 COMMIT=$(git rev-parse HEAD) GOOS=linux GOARCH=arm64 scripts/build.sh OUTPUT
#
# It runs in the Dockerfile's build stage too, whose shell need not be bash and which has no checkout to ask.
set -eu

CGO_ENABLED=0 exec go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X main.linkedVersion=${VERSION:-} -X main.linkedCommit=${COMMIT:-}" \
    -o "$1" ./cmd/watchdog
