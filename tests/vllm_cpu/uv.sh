# Sourced. Makes uv look where pip looks: uv reads neither pip's variables nor its configuration.
uv_version=0.13.8

: "${UV_FIND_LINKS:=${PIP_FIND_LINKS-}}"
: "${UV_INDEX:=${PIP_EXTRA_INDEX_URL-}}"
: "${UV_DEFAULT_INDEX:=${PIP_INDEX_URL-}}"
: "${SSL_CERT_FILE:=${PIP_CERT-}}"
UV_FIND_LINKS=${UV_FIND_LINKS// /,}  # pip parts them by blanks, uv by commas
for name in UV_FIND_LINKS UV_INDEX UV_DEFAULT_INDEX SSL_CERT_FILE; do
    if [[ -n ${!name} ]]; then export "${name?}"; else unset "$name"; fi
done
