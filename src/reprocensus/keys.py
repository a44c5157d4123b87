"""Content digests: what makes two pieces of work the same work. Pure."""

import hashlib
import re
import unicodedata


def digest(data: bytes | str) -> str:
    """SHA-256 of bytes, or of a string's UTF-8, in hex. Keeps lone surrogates, which broken PDFs yield."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()


def verdict_key(
    text_sha256: str, variable: str, variable_sha: str, prompt_sha: str, engine: str, model: str
) -> str:
    """What a verdict depends on. Two judgements with the same key are the same judgement."""
    return digest("\n".join((text_sha256, variable, variable_sha, prompt_sha, engine, model)))


def slug(text: str) -> str:
    """Lower-case ASCII letters, digits and single underscores; empty input gives an empty slug."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "_", "".join(letters).lower()).strip("_")


def folded_title(title: str) -> str:
    """What two spellings of one title have in common: its letters and digits, without case and accents."""
    letters = (c for c in unicodedata.normalize("NFKD", title) if c.isalnum())
    return "".join(letters).casefold()
