#!/usr/bin/env bash
# Resolves .venv-vllm anew into requirements.txt: after a change of the dependencies in pyproject.toml.
# Versions stay as they are there, or else in constraints.txt, where vLLM lets them. Needs Python 3.11 on x86-64
# Linux; one hash a package, of the one file that is installed there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./uv.sh
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
python3.11 -m venv "$work/venv"
pip=("$work/venv/bin/python" -m pip --disable-pip-version-check install -q)
"${pip[@]}" "uv==$uv_version"
# What the output file holds before is kept where it can be.
if [[ -f requirements.txt ]]; then grep == requirements.txt; else grep == ../../constraints.txt; fi |
    sed 's/ .*//' >"$work/versions"
"$work/venv/bin/uv" pip compile -q --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --override overrides.txt --extra test ../../pyproject.toml requirements.in -o "$work/versions" "$@"
"${pip[@]}" -q --dry-run --ignore-installed --no-deps --report "$work/report" -r "$work/versions"
"$work/venv/bin/python" - "$work/report" >"$work/lock" <<'PYTHON'
import json, sys

print("# Made by lock.sh. All of .venv-vllm but reprocensus itself and the name vllm; Python 3.11, x86-64 Linux.")
found = json.load(open(sys.argv[1]))["install"]
for package in sorted(found, key=lambda p: p["metadata"]["name"].lower()):
    sha256 = package["download_info"]["archive_info"]["hashes"]["sha256"]
    print(f"{package['metadata']['name']}=={package['metadata']['version']} --hash=sha256:{sha256}")
PYTHON
mv "$work/lock" requirements.txt
