#!/usr/bin/env bash
# install.sh VENV: the CPU build of vLLM, reprocensus and its test tools into a virtual environment, 3.6 GB.
# uv does it in a minute or two; where uv cannot reach an index, pip does in a few.
set -euo pipefail
venv=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./uv.sh
locked=(--no-deps --require-hashes -r requirements.txt)
ours=(--no-deps ./metadata -e ../..)
pip=("$venv/bin/python" -m pip --disable-pip-version-check install -q)
uv=("$venv/bin/uv" pip install -q --python "$venv/bin/python" --compile-bytecode)

if "${pip[@]}" "uv==$uv_version" && "${uv[@]}" "${locked[@]}" && "${uv[@]}" "${ours[@]}"; then
    exit 0
fi
echo 'uv could not install it; pip tries' >&2
"${pip[@]}" "${locked[@]}"
"${pip[@]}" "${ours[@]}"
