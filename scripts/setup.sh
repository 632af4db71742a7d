#!/usr/bin/env bash
# Installs what is missing to build Pique on Debian and Ubuntu, and nothing else.
#
#   scripts/setup.sh demo    what `npm run demo` needs
#   scripts/setup.sh test    that, and what the tests need (the default)
#
# Safe to run again at any time: with nothing missing it takes well under a second and needs no network.
# System packages come through apt-get, as root or through sudo; where neither works, the exact
# command is printed and the script fails. npm packages follow package-lock.json; their install
# scripts are not run.
set -euo pipefail
cd "$(dirname "$0")/.."

profile="${1:-test}"
packages=(gcc libc6-dev make cmake zlib1g-dev libcsv-dev libsimde-dev libjsmn-dev emscripten)
case "$profile" in
demo) ;;
test) packages+=(g++ pkg-config binutils libcmocka-dev clang-tidy clang-format chromium
    firefox-esr webkit2gtk-driver xvfb hugo) ;;
*)
    echo "setup: unknown profile '$profile' (demo or test)" >&2
    exit 2
    ;;
esac

# Prints those of the named packages that are not installed.
missing_packages() {
    local installed
    installed="$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^ii *//p')" || true
    local package
    for package in "$@"; do
        grep -qxF "$package" <<<"$installed" || echo "$package"
    done
}

install_packages() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo -n)
    fi
    if { [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; } || ! command -v apt-get >/dev/null; then
        echo "setup: these packages are missing and cannot be installed from here. Please run:" >&2
        echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*" >&2
        exit 1
    fi
    echo "setup: installing $*" >&2
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
    "${apt[@]}" update </dev/null >&2
    "${apt[@]}" install -y --no-install-recommends "$@" </dev/null >&2
}

if command -v dpkg-query >/dev/null; then
    mapfile -t missing < <(missing_packages "${packages[@]}")
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
else
    # Not a Debian family: the build itself tells what it misses.
    for tool in cc cmake emcc; do
        command -v "$tool" >/dev/null ||
            echo "setup: $tool not found; please install it (this script knows only Debian's packages)" >&2
    done
fi

# npm leaves a copy of the lock inside node_modules; ours is kept beside it, to be compared whole.
if ! cmp -s package-lock.json node_modules/.pique-lock.json; then
    echo "setup: installing npm packages" >&2
    npm ci --ignore-scripts --no-audit --no-fund </dev/null >&2
    cp package-lock.json node_modules/.pique-lock.json
fi
