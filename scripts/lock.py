"""Pins the dependencies: writes both lock files, with hashes and without addresses.

`requirements.lock` holds what the product needs, `requirements-dev.lock` also what `make test` needs. Both
fit every platform and Python from 3.11 on (`--universal`), so that one file serves all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILE = [
    str(Path(sys.executable).parent / "uv"),
    "pip",
    "compile",
    "--quiet",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
    "--upgrade",
]
LOCKS = {
    "requirements.lock": [],
    "requirements-dev.lock": ["--group=dev", "--extra=cluster"],
}


def main() -> None:
    """Write the lock files."""
    for name, options in LOCKS.items():
        subprocess.run([*COMPILE, *options, "pyproject.toml", "--output-file", name], cwd=ROOT, check=True)
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
