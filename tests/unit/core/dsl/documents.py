"""Documents for tests of the loader: a valid frame into which a test puts its part."""

from __future__ import annotations

import textwrap

HEADER = """\
document:
  dsl: '1.0.3'
  namespace: test
  name: sample
  version: '1.0.0'
"""


def document(body: str) -> str:
    """A document with a valid header, in lines 1 to 5, and the given rest from line 6 on."""
    return HEADER + textwrap.dedent(body).lstrip("\n")


def task(body: str) -> str:
    """A document whose only task is `a`, in line 7; the task's own keys start in line 8."""
    return HEADER + "do:\n- a:\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"
