"""Writes `case.schema.json` beside the cases again, after a change of their form."""

from __future__ import annotations

import msgspec

from tests.conformance.test_kit import SCHEMA, case_schema

if __name__ == "__main__":
    text = msgspec.json.format(msgspec.json.encode(case_schema()), indent=2).decode() + "\n"
    SCHEMA.write_text(text, encoding="utf-8")
