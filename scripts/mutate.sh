#!/usr/bin/env bash
# Breaks the product in the ways of tests/simulation/mutants, one after the other and each in a copy, and says which
# seed and invariant of the simulator notices. It fails when one goes unnoticed, or cannot be made any more.
#
#   scripts/mutate.sh [NAME...]      those alone
#   SEEDS=500 scripts/mutate.sh      how many seeds may be played for each; default 20000
set -uo pipefail

cd "$(dirname "$0")/.."
root=$PWD
mutants=tests/simulation/mutants
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# apply puts the files of a patch, patched, into $work/NAME, and an overlay of them beside it.
apply() {
    local patch=$root/$mutants/$1.patch into=$work/$1 file separator=
    mkdir -p "$into"
    for file in $(sed -n 's|^+++ b/||p' "$patch"); do
        mkdir -p "$into/$(dirname "$file")"
        cp "$file" "$into/$file"
    done
    (cd "$into" && GIT_CEILING_DIRECTORIES=$work git apply "$patch") || return 1
    {
        printf '{"Replace":{'
        for file in $(sed -n 's|^+++ b/||p' "$patch"); do
            printf '%s"%s":"%s"' "$separator" "$root/$file" "$into/$file"
            separator=,
        done
        printf '}}\n'
    } >"$work/$1.json"
}

# killer is the folder of the suite that a mutant is for.
killer() { sed -n 's/^Killed by: //p' "$mutants/$1.patch"; }

# try makes one mutant and runs its suite. It is 0 when the mutant is noticed.
try() {
    local name=$1 suite output
    suite=$(killer "$name")
    apply "$name" || { echo "BROKEN    $name: the patch does not apply any more"; return 1; }
    go test -vet=off -overlay "$work/$name.json" -c -o "$work/$name.test" "$suite" ||
        { echo "BROKEN    $name: does not compile"; return 1; }
    if output=$(cd "$suite" && "$work/$name.test" $([ "$suite" = ./tests/simulation ] && echo "-test.run=TestSeeds$ -simulation.seeds=${SEEDS:-20000}") 2>&1); then
        echo "SURVIVED  $name"
        return 1
    fi
    rm -f "$work/$name.test"
    echo "killed    $name: $(noticed <<<"$output")"
}

# noticed is the part of a suite's output that says what it noticed: the simulator's seed and invariant, or a test.
noticed() { grep -oE 'seed [0-9]+: [^:]*|panic: .*|^ *--- FAIL: [^ ]*' | sort -s -k1,1r | head -1; }

names=("$@")
[ ${#names[@]} -gt 0 ] || names=($(cd "$mutants" && ls ./*.patch | sed 's|^./||; s|\.patch$||'))
status=0
for name in "${names[@]}"; do
    try "$name" || status=1
done
exit $status
