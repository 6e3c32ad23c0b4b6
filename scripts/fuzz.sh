#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given time each (default 30s).
set -euo pipefail

span=${1:-30s}
packages=$(go list ./...)
for package in $packages; do
    listed=$(go test -list '^Fuzz' "$package")
    for target in $(sed -n '/^Fuzz/p' <<<"$listed"); do
        echo "== $package $target"
        go test -run '^$' -fuzz "^$target\$" -fuzztime "$span" "$package"
    done
done
