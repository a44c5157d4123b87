"""Scores extracted text against papers whose content is known, with a script that knows how.

Such a folder has a `.json` beside each `.pdf`. The script is called as `SCRIPT TEXTS --truth FOLDER --json`,
where TEXTS holds a NAME.txt for each paper, and prints one JSON object of figures.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reprocensus.errors import UsageError


def score(script: Path, folder: Path, texts: Mapping[str, str]) -> dict[str, Any]:
    """The script's figures for texts by name (the PDF's file name without `.pdf`).

    Raises:
        UsageError: the script is not there, or does not print figures.
    """
    if not script.is_file():
        raise UsageError(f"no scoring script at {script}")
    with tempfile.TemporaryDirectory() as place:
        for name, text in texts.items():
            (Path(place) / f"{name}.txt").write_text(text, "utf-8")
        done = subprocess.run(
            [sys.executable, str(script), place, "--truth", str(folder), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        figures = json.loads(done.stdout)
    except ValueError as error:
        raise UsageError(f"{script} printed no figures: {done.stderr.strip()[-300:]}") from error
    if not isinstance(figures, dict):
        raise UsageError(f"{script} printed {type(figures).__name__}, not an object of figures")
    return figures
