#!/usr/bin/env bash
# Installs what the tests need and this machine lacks, from Debian's packages, and says so. It starts no
# service and creates no database: the tests start their own servers in temporary folders.
set -euo pipefail

# Debian keeps servers' programs in folders that an ordinary user's PATH may lack.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

has_postgresql() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# missing prints the packages whose programs are not here.
missing() {
    command -v "${CC:-gcc}" >/dev/null || echo gcc # for the race detector, and the model's checker
    [ -e /usr/include/stdlib.h ] || echo libc6-dev
    has_postgresql || echo postgresql
    command -v pgbouncer >/dev/null || echo pgbouncer
    command -v python3 >/dev/null || echo python3
    command -v promtool >/dev/null || echo prometheus
    [ -z "${WATCHDOG_TEST_ALL:-}" ] || command -v buildah >/dev/null || echo buildah # builds the image
    [ -z "${WATCHDOG_TEST_ALL:-}" ] || command -v systemd-analyze >/dev/null || echo systemd # reads its unit
    command -v curl >/dev/null || echo curl # for the commands of the runbooks
    command -v jq >/dev/null || echo jq
    command -v npm >/dev/null || echo npm # for the types of Grafana and of the Node client, in make test-all
    command -v node >/dev/null || echo nodejs
    command -v socat >/dev/null || echo socat # for the protocol by hand
    command -v spin >/dev/null || echo spin # checks the model of ownership
    [ -z "${WATCHDOG_TEST_ALL:-}" ] || missing_for_all
}

missing_for_all() {
    command -v mypy >/dev/null || echo mypy
    command -v gunicorn >/dev/null || echo gunicorn
    command -v uvicorn >/dev/null || echo uvicorn
    has_module psycopg2 || echo python3-psycopg2
}

has_module() {
    python3 -c "import $1" 2>/dev/null || /usr/bin/python3 -c "import $1" 2>/dev/null
}

fail() {
    echo "install-test-deps: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# put writes its input to a file that must not be there yet, and has it removed when the script ends.
placed=()
put() {
    [ ! -e "$2" ] || return 0
    as_root mkdir -p "$(dirname "$2")"
    placed+=("$2")
    as_root tee "$2" >/dev/null
    as_root chmod "$1" "$2"
}
tidy() {
    [ "${#placed[@]}" = 0 ] || as_root rm -f "${placed[@]}"
}

"$(dirname "$0")/fetch-prometheus.sh"

packages=$(missing | xargs)
if [ -z "$packages" ]; then
    echo "install-test-deps: gcc, PostgreSQL, PgBouncer, Python, promtool, curl, jq, Node, npm, socat and spin are here"
    exit 0
fi

command -v apt-get >/dev/null ||
    fail "the tests need what Debian packages as: $packages; there is no apt-get here, so install them by hand"
[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    fail "the tests need: $packages; neither root nor sudo is to be had, so ask for: apt-get install $packages"

echo "install-test-deps: installing from Debian's packages, starting no service: $packages"
trap tidy EXIT
put 0755 /usr/sbin/policy-rc.d <<<$'#!/bin/sh\nexit 101'
put 0644 /etc/postgresql-common/createcluster.d/no-main-cluster.conf <<<'create_main_cluster = false'
as_root apt-get update -q
# shellcheck disable=SC2086 # one word a package
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages

packages=$(missing | xargs)
[ -z "$packages" ] || fail "still missing after the installation: $packages"
