#!/usr/bin/env bash
# Makes what is released, in a folder (default dist): an archive for each platform and the checksums of all. The same
# commit and the same Go give the same bytes, on any machine and in any folder.
set -euo pipefail

folder=${1:-dist}
VERSION=${VERSION:-$(git describe --tags --always --dirty)}
COMMIT=${COMMIT:-$(git rev-parse HEAD)}
export VERSION COMMIT
at=$(git log -1 --format=%ct) # the commit's instant stands for that of the build

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for architecture in amd64 arm64; do
    name=watchdog-$VERSION-linux-$architecture
    mkdir "$work/$name"
    GOOS=linux GOARCH=$architecture "$(dirname "$0")/build.sh" "$work/$name/watchdog"
    cp LICENSE README.md CHANGELOG.md deploy/systemd/watchdog.service deploy/systemd/watchdog.sysusers "$work/$name"
    chmod 644 "$work/$name"/*
    chmod 755 "$work/$name" "$work/$name/watchdog"
    tar -C "$work" --sort=name --mtime="@$at" --owner=0 --group=0 --numeric-owner -cf - "$name" |
        gzip -n9 >"$folder/$name.tar.gz"
    echo "release: $folder/$name.tar.gz"
done
(cd "$folder" && sha256sum "watchdog-$VERSION"-linux-*.tar.gz | tee SHA256SUMS)
