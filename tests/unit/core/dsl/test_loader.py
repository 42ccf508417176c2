"""The facade: the standard's documents, digests, and what this version does not run."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from counterpoint.core.dsl.loader import check, document_digest, load, unsupported
from counterpoint.errors import DefinitionError
from tests.unit.core.dsl.documents import HEADER, document, task


def test_all_examples_of_the_standard_load(spec: Path) -> None:
    examples = sorted((spec / "examples").glob("*.yaml"))
    assert len(examples) == 68
    warned = {}
    for example in examples:
        workflow = load(example.read_bytes())
        assert workflow.name
        if workflow.warnings:
            warned[example.name] = {warning.code for warning in workflow.warnings}
    # They mean expressions, but write plain texts (A26).
    texts = ("conditional-task.yaml", "run-subflow.yaml", "try-catch-then.yaml")
    assert warned == {name: {"bare-expression"} for name in texts}


def test_all_documents_of_the_conformance_features_load(spec: Path) -> None:
    found = 0
    for feature in sorted((spec / "ctk").glob("*.feature")):
        text = feature.read_text(encoding="utf-8")
        for match in re.finditer(r'definition:\n\s*"""yaml\n(.*?)"""', text, re.DOTALL):
            found += 1
            assert load(textwrap.dedent(match.group(1))).warnings == ()
    assert found == 21


def test_json_and_yaml_of_one_document_are_the_same_workflow() -> None:
    yaml = document("do:\n- a:\n    set: { x: 1, y: [ true ] }  # a comment\n")
    json = (
        '{"do": [{"a": {"set": {"y": [true], "x": 1}}}], "document": {"version": "1.0.0",'
        ' "name": "sample", "namespace": "test", "dsl": "1.0.3"}}'
    )
    assert load(json).definition == load(yaml).definition
    assert document_digest(json) == document_digest(yaml.encode())


def test_a_digest_tells_contents_apart() -> None:
    texts = [
        document(f"do:\n- a: {{ set: {{ x: {value} }} }}\n")
        for value in ("1", "1.0", "'1'", "true", "null", "[ 1 ]")
    ]
    digests = {document_digest(text) for text in texts}
    digests |= {document_digest(texts[0], {"https://x.y": value}) for value in (1, {"a": 1}, None)}
    assert len(digests) == 9
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


def test_a_digest_needs_a_readable_document() -> None:
    with pytest.raises(DefinitionError):
        document_digest("a: [")


NOT_RUN = {
    "listen": (task("listen: { to: { any: [] } }"), "/do/0/a"),
    "emit": (task("emit: { event: { with: { type: t } } }"), "/do/0/a"),
    "shell": (task("run: { shell: { command: ls } }"), "/do/0/a"),
    "script": (task("run: { script: { language: js, code: x } }"), "/do/0/a"),
    "container": (task("run: { container: { image: i } }"), "/do/0/a"),
    "openapi": (
        task("call: openapi\nwith: { document: { endpoint: 'https://x.y' }, operationId: o }"),
        "/do/0/a",
    ),
    "schedule": (document("schedule: { cron: '0 0 * * *' }\ndo: []"), "/schedule"),
    "secrets": (document("use: { secrets: [ s ] }\ndo: []"), "/use/secrets"),
    "oauth2": (
        task(
            "call: http\nwith: { method: get, endpoint: { uri: 'https://x.y', authentication: { oauth2:"
            " { authority: 'https://a.b', grant: client_credentials } } } }"
        ),
        "/do/0/a/with/endpoint/authentication/oauth2",
    ),
    "a function by address": (task("call: https://x.y/function.yaml"), "/do/0/a"),
    "a catalog": (
        document(
            "use: { catalogs: { c: { endpoint: 'https://x.y' } } }\ndo: [ { a: { call: 'log:1.0.0@c' } } ]"
        ),
        "/do/0/a",
    ),
    "an overridden default catalog": (
        document(
            "use: { catalogs: { default: { endpoint: 'https://x.y' } } }\n"
            "do: [ { a: { call: 'crm.enrich:1.0.0@default' } } ]"
        ),
        "/do/0/a",
    ),
    "compensation": (
        task("call: crm.enrich\nmetadata: { counterpoint: { compensate: { call: crm.enrich } } }"),
        "/do/0/a/metadata/counterpoint/compensate",
    ),
    "inside a function that nobody calls": (
        document("use: { functions: { f: { do: [ { b: { listen: { to: { any: [] } } } } ] } } }\ndo: []"),
        "/use/functions/f/do/0/b",
    ),
    "inside an extension": (
        document(
            "use: { extensions: [ { e: { extend: all, after: [ { b: { emit: { event: { with:"
            " { type: t } } } } } ] } } ] }\ndo: [ { a: { wait: PT1S } } ]"
        ),
        "/use/extensions/0/e/after/0/b",
    ),
}


def has_action(target: str, version: str, catalog: str) -> bool:
    """The one action that there is."""
    return target == "crm.enrich" and version in ("", "1.0.0") and catalog in ("", "default")


@pytest.mark.parametrize(("text", "pointer"), NOT_RUN.values(), ids=NOT_RUN.keys())
def test_what_is_not_run_loads_and_is_named(text: str, pointer: str) -> None:
    found = unsupported(load(text), has_action)
    assert [(problem.pointer, problem.code, problem.is_warning) for problem in found] == [
        (pointer, "not-run", False)
    ]
    assert found[0].message.endswith("is not run by this version.")


def test_what_is_run_is_not_named() -> None:
    text = document(
        """
        use: { functions: { f: { call: 'crm.enrich:1.0.0@default' } } }
        do:
        - a: { call: crm.enrich }
        - b: { call: f }
        - c:
            call: http
            with: { method: get, endpoint: { uri: 'https://x.y', authentication: { bearer: { token: t } } } }
        - d: { run: { workflow: { namespace: n, name: w, version: latest } } }
        """
    )
    assert unsupported(load(text), has_action) == []


def test_an_unknown_action_is_named_with_the_nearest() -> None:
    found = unsupported(load(task("call: crm.enrch")), has_action, ["crm.enrich", "crm.delete"])
    assert [(problem.pointer, problem.code, problem.hint) for problem in found] == [
        ("/do/0/a", "unknown-function", "Did you mean `crm.enrich`?")
    ]
    other = unsupported(load(task("call: 'crm.enrich:9.0.0@default'")), has_action)
    assert [problem.message for problem in other] == ["There is no function or action `crm.enrich:9.0.0`."]


def test_hostile_documents_are_refused_in_few_words() -> None:
    many = HEADER + "do:\n" + "".join(f"- a{n}: {{ sett: {n}, thn: x }}\n" for n in range(5_000))
    problems = check(many)
    assert len(problems) == 201
    assert "4800 more" in problems[-1].message
    long_keys = HEADER + "do: []\nuse:\n" + "".join(f"  {'k' * 200}{n}: 1\n" for n in range(2_000))
    assert len(check(long_keys)) == 201


def test_many_warnings_do_not_hide_a_problem() -> None:
    text = (
        HEADER
        + "do:\n"
        + "".join(f"- a{n}: {{ set: {{ x: .y }} }}\n" for n in range(300))
        + "- b: { set: {} }\n"
    )
    with pytest.raises(DefinitionError, match=r"/do/300/b/set"):
        load(text)
