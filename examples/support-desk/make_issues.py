"""Writes `data/issues.jsonl` from the package `@octokit/webhooks-examples`.

`npm pack @octokit/webhooks-examples`, then `python make_issues.py octokit-webhooks-examples-*.tgz`. What is
kept is what a support desk looks at: who reported what, where, with which labels or severity. Equal rows are
kept once.
"""

from __future__ import annotations

import argparse
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "data" / "issues.jsonl"

Payload = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, help="the packed package")
    rows = {json.dumps(row, ensure_ascii=False): row for row in issues_in(parser.parse_args().package)}
    FILE.write_text("".join(f"{line}\n" for line in rows), encoding="utf-8")
    print(f"{len(rows)} issues written to {FILE.name}")


def issues_in(package: Path) -> Iterator[Payload]:
    """Issues of all payloads in a packed package, trimmed."""
    with tarfile.open(package) as archive:
        names = sorted(name for name in archive.getnames() if name.endswith("/index.json"))
        for name in names:
            file = archive.extractfile(name)
            if file is None:
                continue
            for event in json.load(file):
                for payload in event["examples"]:
                    if (row := issue_of(event["name"], payload)) is not None:
                        yield row


def issue_of(event: str, payload: Payload) -> Payload | None:
    """What a payload reports, or None if it reports nothing."""
    reader = READERS.get(event)
    if reader is None:
        return None
    found = reader(payload)
    repository = payload.get("repository") or {}
    return {
        "source": f"{event}.{payload.get('action', '')}",
        "repository": repository.get("full_name", ""),
        **found,
    }


def _of_issue(payload: Payload) -> Payload:
    issue = payload["issue"]
    comment = payload.get("comment") or {}
    return {
        "number": issue["number"],
        "title": issue["title"],
        "body": comment.get("body") or issue.get("body") or "",
        "user": (comment.get("user") or issue["user"])["login"],
        "labels": [label["name"] for label in issue.get("labels") or []],
        "severity": "",
        "url": comment.get("html_url") or issue["html_url"],
    }


def _of_advisory(payload: Payload) -> Payload:
    advisory = payload["security_advisory"]
    return {
        "number": 0,
        "title": advisory["summary"],
        "body": advisory["description"],
        "user": "",
        "labels": [identifier["value"] for identifier in advisory["identifiers"]],
        "severity": advisory["severity"],
        "url": advisory["references"][0]["url"] if advisory["references"] else "",
    }


def _of_dependency(payload: Payload) -> Payload:
    alert = payload["alert"]
    advisory = alert["security_advisory"]
    return {
        "number": alert["number"],
        "title": advisory["summary"],
        "body": advisory["description"],
        "user": (payload.get("sender") or {}).get("login", ""),
        "labels": [advisory["ghsa_id"]],
        "severity": advisory["severity"],
        "url": alert["html_url"],
    }


def _of_scan(payload: Payload) -> Payload:
    alert = payload["alert"]
    rule = alert["rule"]
    return {
        "number": alert["number"],
        "title": rule["description"],
        "body": rule.get("full_description") or "",
        "user": (payload.get("sender") or {}).get("login", ""),
        "labels": [rule["id"]],
        "severity": rule.get("security_severity_level") or rule.get("severity") or "",
        "url": alert["html_url"],
    }


READERS = {
    "issues": _of_issue,
    "issue_comment": _of_issue,
    "security_advisory": _of_advisory,
    "dependabot_alert": _of_dependency,
    "code_scanning_alert": _of_scan,
}

if __name__ == "__main__":
    main()
