#!/usr/bin/env bash
# Installs what the site's tests use besides Python: Chromium (Debian's), axe-core and html-validate (npm's).
# axe-core and html-validate lie in tests/browser/node_modules; Chromium is installed system-wide, if there is none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
install() {
    command -v apt-get >/dev/null || { echo "install $* yourself: this script knows apt-get alone" >&2; exit 1; }
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

command -v npm >/dev/null || install nodejs npm
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    install chromium fonts-dejavu-core
npm ci --no-audit --no-fund --ignore-scripts --silent
echo "installed: $(chromium --version 2>/dev/null || echo Chromium), axe-core, html-validate"
