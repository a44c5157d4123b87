#!/usr/bin/env bash
# Installs from Debian what the tests of server mode start: PostgreSQL and Redis. Neither is left running.
set -euo pipefail
if command -v redis-server >/dev/null && ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
    echo "run as root: apt-get install postgresql redis-server" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# A policy that lets no service start while its package is installed; put away afterwards.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql redis-server >/dev/null
