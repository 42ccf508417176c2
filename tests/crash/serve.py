"""`counterpoint` with a fail-point: run as a program with the arguments of the command line."""

from __future__ import annotations

import os

from counterpoint.testing.failpoints import arm

if __name__ == "__main__":
    arm(os.environ)
    from counterpoint.cli.main import main

    main()
