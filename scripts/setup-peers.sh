#!/usr/bin/env bash
# Brings the real peers that the tests talk to: a Consul and a Vault-compatible server (RustyVault).
#
# Idempotent. What is on PATH already is used as it is. Otherwise Consul comes from Debian's bullseye suite (the last one that packages it), added
# beside the machine's own suites and pinned below them so that nothing else ever comes from it; RustyVault is built from its published source.
# Prints one line for each peer: its name, its version and where it is.
set -euo pipefail

readonly suite=bullseye
readonly rustyvault_version=0.2.1
readonly tools="${DROVER_TOOLS:-$HOME/.cache/drover/tools}"
readonly sources=/etc/apt/sources.list.d/drover-peers.list
readonly preferences=/etc/apt/preferences.d/drover-peers

fail() {
    echo "setup-peers: $*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The mirror that this machine's own Debian suite comes from, in either of the two formats of apt's sources.
mirror() {
    local codename
    codename="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")"
    [ -n "$codename" ] || return 1
    # A missing file of either format is no failure.
    {
        { cat /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } | awk -v suite="$codename" '
            /^URIs:/ { uri = $2 }
            /^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite) found = 1 }
            /^[[:space:]]*$/ { if (found && uri != "") print uri; found = 0; uri = "" }
            END { if (found && uri != "") print uri }'
        { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } | awk -v suite="$codename" '
            $1 == "deb" { sub(/\[[^]]*\] */, ""); if ($3 == suite) print $2 }'
    } | head -n 1
}

install_consul() {
    command -v apt-get >/dev/null || fail "no consul on PATH and no apt-get to install it with: put a consul binary on PATH"
    local from
    from="$(mirror)" && [ -n "$from" ] || fail "cannot tell this machine's Debian mirror from its apt sources: put a consul binary on PATH"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$from" "$suite" | as_root tee "$sources" >/dev/null
    printf 'Package: *\nPin: release n=%s\nPin-Priority: -1\n\nPackage: consul\nPin: release n=%s\nPin-Priority: 500\n' "$suite" "$suite" \
        | as_root tee "$preferences" >/dev/null
    as_root apt-get update -q -o Dir::Etc::SourceList="$sources" -o Dir::Etc::SourceParts=/dev/null -o APT::Get::List-Cleanup=0 >&2
    # The package would start a service; the tests start their own agents.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends consul >&2
}

install_rustyvault() {
    command -v cargo >/dev/null || fail "no rvault on PATH and no cargo to build it with"
    cargo install --locked --version "$rustyvault_version" --root "$tools" rusty_vault >&2
}

if ! command -v consul >/dev/null; then install_consul; fi
consul="$(command -v consul)" || fail "consul was installed but is not on PATH"

if rvault="$(command -v rvault)"; then :; else
    rvault="$tools/bin/rvault"
    [ -x "$rvault" ] || install_rustyvault
fi

printf 'consul: %s, %s\n' "$("$consul" version | head -n 1)" "$consul"
printf 'rvault: %s, %s\n' "$("$rvault" --version 2>/dev/null | head -n 1)" "$rvault"
