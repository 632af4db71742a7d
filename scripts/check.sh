#!/usr/bin/env bash
# Style and lint: clang-format, clang-tidy, Biome, TypeScript.
#
#   scripts/check.sh              check everything
#   scripts/check.sh --write      format in place instead (C by clang-format, the rest by Biome)
#   scripts/check.sh format|tidy|web   one part of the check
#
# clang-tidy reads build/native/compile_commands.json.
set -uo pipefail
cd "$(dirname "$0")/.."

c_files() { find src native wasm tests -name '*.[ch]' -not -path '*/corpus/*' -not -path '*/node_modules/*' -print0 "$@"; }

check_format() {
    c_files | xargs -0 -r clang-format --dry-run -Werror
}

# Sources of the library and the command line, as they are compiled (the variants that this build
# leaves out have no flags to be read with).
check_tidy() {
    if [ ! -f build/native/compile_commands.json ]; then
        cmake --preset native >/dev/null || return 1
    fi
    local findings status=0
    findings="$(find src native -name '*.c' -print0 | sort -z |
        xargs -0 -r -n 1 -P "${PIQUE_JOBS:-2}" clang-tidy -p build/native --quiet 2>&1)" || status=1
    grep -v -E '^[0-9]+ warnings? |^Suppressed |^Use -header-filter' <<<"$findings"
    return "$status"
}

check_web() {
    npx --no-install biome check --error-on-warnings . && npx --no-install tsc -p web/tsconfig.json --noEmit
}

case "${1:-all}" in
--write)
    c_files | xargs -0 -r clang-format -i && npx --no-install biome check --write .
    ;;
format) check_format ;;
tidy) check_tidy ;;
web) check_web ;;
all)
    failed=0
    check_format || failed=1
    check_tidy || failed=1
    check_web || failed=1
    exit "$failed"
    ;;
*)
    echo "check: unknown part '$1' (format, tidy, web, --write)" >&2
    exit 2
    ;;
esac
