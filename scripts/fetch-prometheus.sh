#!/usr/bin/env bash
# Unpacks Prometheus, promtool and Alertmanager into the user's cache, where tests/prometheus finds them, and says
# so. Nothing is installed and the system's package lists stay as they are: the programs come from Debian's
# unstable suite, for an older one's do not know native histograms, and apt, with lists of its own, checks the
# suite's signature and each package's checksum.
set -euo pipefail

packages=(prometheus promtool prometheus-alertmanager)
programs=(prometheus promtool alertmanager)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/finalizer-watchdog/prometheus

fail() {
    echo "fetch-prometheus: $*" >&2
    exit 1
}

# complete tells whether every program is in a folder and can be run.
complete() {
    local program
    for program in "${programs[@]}"; do
        "$1/$program" --version >/dev/null 2>&1 || return 1
    done
}

# alertmanager prints a program that starts Debian's Alertmanager, which reads its templates from /usr/share only: it
# is given one of its own, that no other process sees.
alertmanager() {
    cat <<'END'
#!/bin/sh
here=$(dirname "$0")
user=$([ "$(id -u)" = 0 ] || echo --map-root-user)
# shellcheck disable=SC2086 # no word at all for root
exec unshare --mount $user sh -c '
    mount -t tmpfs none /usr/share && mkdir /usr/share/prometheus || exit 1
    cp -r "$0/templates" /usr/share/prometheus/alertmanager && exec "$0/prometheus-alertmanager" "$@"' "$here" "$@"
END
}

# mirror prints where this machine gets Debian's packages from.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 'Component: main' | sed 1q
}

if complete "$cache"; then
    echo "fetch-prometheus: Prometheus, promtool and Alertmanager are in $cache"
    exit 0
fi
for program in apt-get dpkg; do
    command -v "$program" >/dev/null ||
        fail "the tests need ${programs[*]} in $cache; there is no $program here, so put them there by hand"
done
from=$(mirror)
if [ -z "$from" ] && [ "$(id -u)" = 0 ]; then
    apt-get update -q # a machine so new that it has no package lists at all
    from=$(mirror)
fi
[ -n "$from" ] || fail "apt knows no Debian mirror; see /etc/apt, or run apt-get update"

mkdir -p "$cache"
work=$(mktemp -d "$cache/.new.XXXXXX") # beside the target, so that moving a program there is one step
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,parts,debs,root}
cat >"$work/sources.list" <<<"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $from sid main"
cat >"$work/apt.conf" <<END
Dir::State::lists "$work/lists";
Dir::Cache "$work";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "$work/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$work/parts";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "$(id -un)";
END
export APT_CONFIG=$work/apt.conf

echo "fetch-prometheus: unpacking from Debian unstable into $cache, installing nothing: ${packages[*]}"
apt-get update -qq
(cd "$work/debs" && apt-get download -qq "${packages[@]}")
for package in "$work"/debs/*.deb; do
    dpkg -x "$package" "$work/root"
done
new=$work/root/usr/bin
alertmanager >"$new/alertmanager"
chmod 755 "$new/alertmanager"
mv "$work/root/usr/share/prometheus/alertmanager" "$new/templates"
complete "$new" || fail "the unpacked programs do not run on this machine"
rm -rf "$cache/templates"
for part in templates prometheus-alertmanager "${programs[@]}"; do
    mv -f "$new/$part" "$cache/$part"
done
for program in "${programs[@]}"; do
    "$cache/$program" --version | sed 1q
done
