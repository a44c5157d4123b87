"""Builds `textpage.c` when reprocensus is installed, if that can be done.

Without it, MuPDF's printouts are read instead: the same text, more slowly. So nothing here fails an
installation.
"""

import hashlib
import importlib.util
import os
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("src", "reprocensus", "extract")
SOURCE = "textpage.c"
LIBRARY = "libtextpage.so"


class TextpageHook(BuildHookInterface[Any]):
    """Puts the library beside its source: in the checkout for an editable installation, else in the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds; `version` is `editable` or `standard`."""
        folder = Path(self.root) / FOLDER
        try:
            if version == "editable":
                build(folder / SOURCE, folder / LIBRARY)
                return
            self._made = tempfile.TemporaryDirectory()
            library = Path(self._made.name) / LIBRARY
            build(folder / SOURCE, library)
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            self.app.display_warning(f"{SOURCE} is not built, so extraction will take longer: {error}")
            return
        build_data["force_include"][str(library)] = f"reprocensus/extract/{LIBRARY}"
        build_data["pure_python"] = False
        # It knows nothing of Python.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"


def build(source: Path, library: Path) -> None:
    """Compile the source by the headers that PyMuPDF brings along.

    Raises OSError, RuntimeError, ValueError or TimeoutExpired where there is no compiler, where there are no
    headers, and where they do not fit.
    """
    found = importlib.util.find_spec("pymupdf")
    places = (found.submodule_search_locations if found else None) or ()
    headers = [Path(place) / "mupdf-devel" / "include" for place in places]
    if os.name != "posix" or not any(place.is_dir() for place in headers):
        raise RuntimeError("PyMuPDF brings no headers of MuPDF here")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    # Replaced as a whole: another process may have it loaded.
    fresh = library.with_name(f"{library.name}.{os.getpid()}")
    # It may come with words of its own, such as `ccache gcc`.
    compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
    command = [
        *compiler, "-std=c99", "-O2", "-shared", "-fPIC", f'-DTEXTPAGE_SOURCE="{digest}"',
        *(f"-I{place}" for place in headers), str(source), "-o", str(fresh),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=300)
        if done.returncode:
            # What it says may be in another encoding than this process' own.
            said = done.stderr.decode(errors="replace").strip()[-500:]
            raise RuntimeError(said or f"{shlex.join(compiler)} ended with {done.returncode}")
        fresh.replace(library)
    finally:
        fresh.unlink(missing_ok=True)
