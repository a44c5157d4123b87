#!/usr/bin/env bash
# Installs what tests need that is no Python dependency: from Debian PostgreSQL and Redis, which are not left
# running; and a DuckDB that reads S3, apart from the environment's, whose extension is no package yet.
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"
duckdb="$here/.duckdb"
if [ ! -d "$duckdb" ]; then
    python="$here/../.venv/bin/python"
    [ -x "$python" ] || python=python3
    "$python" -m pip --disable-pip-version-check install -q --no-deps --target "$duckdb.new" \
        duckdb==1.5.5 duckdb-extension-httpfs==1.5.5
    mv "$duckdb.new" "$duckdb"
fi
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
