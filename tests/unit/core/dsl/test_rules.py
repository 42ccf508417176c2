"""One bad document per rule of the loader: where it points, what it is called, what it advises."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from counterpoint.core.dsl.loader import check, load
from counterpoint.errors import DefinitionError
from tests.unit.core.dsl.documents import HEADER, document, task


class Bad(NamedTuple):
    """A document and the one problem that it has."""

    text: str
    pointer: str
    line: int
    code: str
    hint: str = ""
    is_warning: bool = False


RULES: dict[str, Bad] = {
    # the text
    "an empty text": Bad("", "", 1, "yaml", "document:"),
    "no YAML": Bad("a: ]", "", 1, "yaml"),
    "an alias": Bad("a: &x 1\nb: *x\n", "", 1, "alias", "use"),
    "a tag": Bad("a: !python/object:os.system 1\n", "", 1, "tag"),
    "two documents": Bad("a: 1\n---\nb: 1\n", "", 2, "several-documents"),
    "a duplicate key": Bad(task("set: { a: 1, a: 2 }"), "/do/0/a/set/a", 8, "duplicate-key"),
    "a key that is a number": Bad(task("set:\n  200: x"), "/do/0/a/set/200", 9, "key-not-text", "'200'"),
    "a number beyond 64 bits": Bad(
        task("set: { a: 9223372036854775808 }"), "/do/0/a/set/a", 8, "number-range", "quotes"
    ),
    "infinity": Bad(task("set: { a: .inf }"), "/do/0/a/set/a", 8, "number-range"),
    # the document
    "a text instead of a document": Bad("hello\n", "", 1, "wrong-type"),
    "no tasks": Bad(HEADER, "", 1, "missing"),
    "an unknown key of the document": Bad(
        HEADER + "  titel: x\ndo: []\n", "/document/titel", 6, "unknown-key", "`title`"
    ),
    "a misspelt key at the root": Bad(
        document("do: []\ntimeuot: { after: PT1S }"), "/timeuot", 7, "unknown-key", "`timeout`", True
    ),
    "a name with a dot": Bad(HEADER.replace("sample", "a.b") + "do: []\n", "/document/name", 4, "pattern"),
    "a version of two numbers": Bad(
        HEADER.replace("'1.0.0'", "'1.0'") + "do: []\n", "/document/version", 5, "pattern"
    ),
    "a version that is a number": Bad(
        HEADER.replace("'1.0.0'", "1.0") + "do: []\n", "/document/version", 5, "wrong-type", "quotes"
    ),
    "an unknown language": Bad(
        document("evaluate: { language: js }\ndo: []"), "/evaluate/language", 6, "language", "jq"
    ),
    "an unknown mode": Bad(
        document("evaluate: { mode: strickt }\ndo: []"), "/evaluate/mode", 6, "not-allowed", "`strict`"
    ),
    "read without on": Bad(document("schedule: { read: raw }\ndo: []"), "/schedule/read", 6, "missing"),
    # task lists
    "a map of tasks": Bad(document("do:\n  a: { set: { x: 1 } }"), "/do", 6, "wrong-type", "`- `"),
    "two tasks in one item": Bad(
        document("do:\n- a: { set: { x: 1 } }\n  b: { set: { x: 1 } }"), "/do/0", 7, "not-one-key", "`b`"
    ),
    "a task of no kind": Bad(task("sett: { x: 1 }"), "/do/0/a", 7, "no-kind", "`set`"),
    "a task of two kinds": Bad(task("set: { x: 1 }\nwait: PT1S"), "/do/0/a", 7, "two-kinds"),
    "an unknown key of a task": Bad(
        task("set: { x: 1 }\nthn: end"), "/do/0/a/thn", 9, "unknown-key", "`then`"
    ),
    "a repeated name": Bad(
        document("do:\n- a: { set: { x: 1 } }\n- a: { set: { x: 2 } }"), "/do/1/a", 8, "repeated-name"
    ),
    "an unknown target": Bad(task("set: { x: 1 }\nthen: b"), "/do/0/a/then", 9, "unknown-target", "`a`"),
    "a target in another list": Bad(
        document("do:\n- a: { do: [ { b: { wait: PT1S, then: c } } ] }\n- c: { wait: PT1S }"),
        "/do/0/a/do/0/b/then",
        7,
        "unknown-target",
    ),
    "an unreachable task": Bad(
        document("do:\n- a: { set: { x: 1 }, then: end }\n- b: { wait: PT1S }"),
        "/do/1/b",
        8,
        "unreachable",
        "then",
        True,
    ),
    "a task named like a directive": Bad(
        document("do:\n- end: { wait: PT1S }"), "/do/0/end", 7, "reserved-name", "", True
    ),
    # kinds of tasks
    "an empty set": Bad(task("set: {}"), "/do/0/a/set", 8, "too-few"),
    "a condition that is no text": Bad(task("if: true\nset: { x: 1 }"), "/do/0/a/if", 8, "wrong-type"),
    "a switch without cases": Bad(task("switch: []"), "/do/0/a/switch", 8, "too-few"),
    "a case without then": Bad(task("switch:\n- x: { when: '.y' }"), "/do/0/a/switch/0/x", 9, "missing"),
    "two defaults": Bad(
        task("switch:\n- x: { then: end }\n- y: { then: end }"), "/do/0/a/switch/1/y", 10, "two-defaults"
    ),
    "a loop over scalars": Bad(task("for: { in: [ 1 ] }\ndo: []"), "/do/0/a/for/in/0", 8, "wrong-type"),
    "a loop variable with a dollar": Bad(
        task("for: { in: '.x', each: $pet }\ndo: []"), "/do/0/a/for/each", 8, "variable-name", "`pet`"
    ),
    "a loop variable that hides an argument": Bad(
        task("for: { in: '.x', each: input }\ndo: []"),
        "/do/0/a/for/each",
        8,
        "hidden-argument",
        "",
        True,
    ),
    "a fork without branches": Bad(task("fork: { compete: true }"), "/do/0/a/fork", 8, "missing"),
    "compete in quotes": Bad(
        task("fork: { compete: 'yes', branches: [] }"), "/do/0/a/fork/compete", 8, "wrong-type", "true"
    ),
    "a try without catch": Bad(task("try: []"), "/do/0/a", 7, "missing"),
    "an error without status": Bad(
        task("raise: { error: { type: 'https://x.y/z' } }"), "/do/0/a/raise/error", 8, "missing"
    ),
    "an instance that is no pointer": Bad(
        task("raise: { error: { type: 'https://x.y/z', status: 400, instance: x } }"),
        "/do/0/a/raise/error/instance",
        8,
        "pattern",
    ),
    "a filter with an expression": Bad(
        task("try: []\ncatch: { errors: { with: { type: '${ .x }' } } }"),
        "/do/0/a/catch/errors/with/type",
        9,
        "static-filter",
        "`when`",
        True,
    ),
    "two backoffs": Bad(
        task("try: []\ncatch: { retry: { backoff: { constant: {}, linear: {} } } }"),
        "/do/0/a/catch/retry/backoff",
        9,
        "exclusive",
    ),
    "a backoff that shrinks": Bad(
        task("try: []\ncatch: { retry: { backoff: { linear: { factor: 0.5 } } } }"),
        "/do/0/a/catch/retry/backoff/linear/factor",
        9,
        "number-range",
    ),
    "a jitter from more to less": Bad(
        task("try: []\ncatch: { retry: { jitter: { from: PT2S, to: PT1S } } }"),
        "/do/0/a/catch/retry/jitter",
        9,
        "number-range",
    ),
    "a longest delay that is an expression": Bad(
        task("try: []\ncatch: { retry: { backoff: { linear: { maxDelay: '${ .x }' } } } }"),
        "/do/0/a/catch/retry/backoff/linear/maxDelay",
        9,
        "not-static",
    ),
    "an unknown unit": Bad(task("wait: { second: 1 }"), "/do/0/a/wait/second", 8, "unknown-key", "`seconds`"),
    "a negative duration": Bad(task("wait: { seconds: -1 }"), "/do/0/a/wait", 8, "duration"),
    "a duration in other words": Bad(task("wait: 5s"), "/do/0/a/wait", 8, "duration", "PT30S"),
    "a fraction of a month": Bad(task("wait: P0.5M"), "/do/0/a/wait", 8, "duration"),
    # calls
    "an unknown argument": Bad(
        task("call: http\nwith: { method: get, endpoint: 'https://x.y', querry: {} }"),
        "/do/0/a/with/querry",
        9,
        "unknown-key",
        "`query`",
    ),
    "a map as a query value": Bad(
        task("call: http\nwith: { method: get, endpoint: 'https://x.y', query: { a: {} } }"),
        "/do/0/a/with/query/a",
        9,
        "wrong-type",
    ),
    "a template with an operator": Bad(
        task("call: http\nwith: { method: get, endpoint: 'https://x.y/{+path}' }"),
        "/do/0/a/with/endpoint",
        9,
        "uri-template",
    ),
    "an address with a blank": Bad(
        task("call: http\nwith: { method: get, endpoint: 'https://x.y/a b' }"),
        "/do/0/a/with/endpoint",
        9,
        "uri-template",
    ),
    "two authentications": Bad(
        task(
            "call: http\nwith: { method: get, endpoint: { uri: 'https://x.y', authentication:"
            " { basic: { username: u, password: p }, bearer: { token: t } } } }"
        ),
        "/do/0/a/with/endpoint/authentication",
        9,
        "exclusive",
    ),
    "a misspelt function": Bad(
        document("use: { functions: { getPet: { wait: PT1S } } }\ndo:\n- a: { call: getPets }"),
        "/do/0/a/call",
        8,
        "dangling",
        "`getPet`",
    ),
    "a misspelt protocol": Bad(task("call: htpp"), "/do/0/a/call", 8, "dangling", "`http`"),
    "a call of nothing": Bad(task("call: 'a b'"), "/do/0/a/call", 8, "pattern"),
    "an unknown catalog": Bad(task("call: log:1.0.0@glob"), "/do/0/a/call", 8, "dangling", "`use.catalogs`"),
    "a function that calls itself": Bad(
        document("use: { functions: { f: { do: [ { x: { call: f } } ] } } }\ndo: []"),
        "/use/functions/f/do/0/x/call",
        6,
        "recursion",
    ),
    "channel and operation": Bad(
        task(
            "call: asyncapi\nwith: { document: { endpoint: 'https://x.y' }, channel: c, operation: o,"
            " message: {} }"
        ),
        "/do/0/a/with",
        9,
        "exclusive",
    ),
    # references
    "an unknown error": Bad(
        document("use: { errors: { bad: { type: 'x:y', status: 1 } } }\ndo:\n- a: { raise: { error: bat } }"),
        "/do/0/a/raise/error",
        8,
        "dangling",
        "`bad`",
    ),
    "an unknown retry policy": Bad(
        task("try: []\ncatch: { retry: none }"), "/do/0/a/catch/retry", 9, "dangling", "`use.retries`"
    ),
    "an unknown time-out": Bad(task("wait: PT1S\ntimeout: short"), "/do/0/a/timeout", 9, "dangling"),
    "an unknown authentication": Bad(
        task(
            "call: http\nwith: { method: get, endpoint: { uri: 'https://x.y', authentication: { use: z } } }"
        ),
        "/do/0/a/with/endpoint/authentication/use",
        9,
        "dangling",
    ),
    "an unknown secret of an authentication": Bad(
        task(
            "call: http\nwith: { method: get, endpoint: { uri: 'https://x.y', authentication:"
            " { basic: { use: z } } } }"
        ),
        "/do/0/a/with/endpoint/authentication/basic/use",
        9,
        "dangling",
    ),
    "an unknown secret in an expression": Bad(
        document("use: { secrets: [ token ] }\ndo:\n- a: { wait: PT1S, if: '$secrets.tokn == 1' }"),
        "/do/0/a/if",
        8,
        "dangling",
        "`token`",
    ),
    # expressions
    "an expression that does not parse": Bad(task("if: '.a ==='\nwait: PT1S"), "/do/0/a/if", 8, "expression"),
    "single quotes": Bad(
        task("if: \".a == 'b'\"\nwait: PT1S"), "/do/0/a/if", 8, "expression", "double quotes"
    ),
    "a forbidden name": Bad(task("if: env.HOME == null\nwait: PT1S"), "/do/0/a/if", 8, "expression"),
    "a bad expression deep in a value": Bad(
        task("set:\n  list:\n  - ok\n  - ${ .a | }"), "/do/0/a/set/list/1", 11, "expression"
    ),
    "the input before it is made": Bad(
        task("if: $input.x\nwait: PT1S"), "/do/0/a/if", 8, "variable", "`$context`"
    ),
    "the output outside of export": Bad(
        task("wait: PT1S\noutput: { as: $output }"), "/do/0/a/output/as", 9, "variable"
    ),
    "the context in the workflow's input": Bad(
        document("input: { from: $context }\ndo: []"), "/input/from", 6, "variable"
    ),
    "a loop variable after its loop": Bad(
        task("for: { in: '.x', each: pet }\ndo: []\nif: $pet"), "/do/0/a/if", 10, "variable"
    ),
    "a loop variable in a function": Bad(
        document(
            "use: { functions: { f: { set: { x: '${ $pet }' } } } }\n"
            "do:\n- a: { for: { in: .x, each: pet }, do: [ { b: { call: f } } ] }"
        ),
        "/use/functions/f/set/x",
        6,
        "variable",
    ),
    "a misspelt variable": Bad(
        task("set: { x: '${ $contxt.a }' }"), "/do/0/a/set/x", 8, "variable", "`context`"
    ),
    "a bare text that looks like an expression": Bad(
        task("set: { x: .a.b }"), "/do/0/a/set/x", 8, "bare-expression", "${ .a.b }", True
    ),
    "an expression inside a text": Bad(
        task("set: { x: 'Hello ${ .name }' }"), "/do/0/a/set/x", 8, "embedded-expression", "\\(", True
    ),
    "a secret in the data": Bad(
        document("use: { secrets: [ s ] }\ndo:\n- a: { set: { x: '${ $secrets.s }' } }"),
        "/do/0/a/set",
        8,
        "secret-flow",
        "",
        True,
    ),
    # schemas
    "an unknown schema format": Bad(
        task("wait: PT1S\ninput: { schema: { format: avro, document: {} } }"),
        "/do/0/a/input/schema/format",
        9,
        "schema-format",
    ),
    "a schema of nothing": Bad(
        task("wait: PT1S\ninput: { schema: {} }"), "/do/0/a/input/schema", 9, "missing"
    ),
    "an invalid schema": Bad(
        task("wait: PT1S\ninput: { schema: { document: { type: strin } } }"),
        "/do/0/a/input/schema/document/type",
        9,
        "schema",
    ),
    "a schema that reaches outside": Bad(
        task("wait: PT1S\ninput: { schema: { document: { $ref: 'file:///etc/passwd' } } }"),
        "/do/0/a/input/schema/document",
        9,
        "schema",
        "$defs",
    ),
    "a pattern that looks ahead": Bad(
        task("wait: PT1S\ninput: { schema: { document: { pattern: '(?=x)' } } }"),
        "/do/0/a/input/schema/document/pattern",
        9,
        "schema",
        "linear",
    ),
    "a schema address with an expression": Bad(
        task("wait: PT1S\ninput: { schema: { resource: { endpoint: '${ .x }' } } }"),
        "/do/0/a/input/schema/resource/endpoint",
        9,
        "not-static",
    ),
    "a schema at an address": Bad(
        task("wait: PT1S\ninput: { schema: { resource: { endpoint: 'https://x.y' } } }"),
        "/do/0/a/input/schema/resource/endpoint",
        9,
        "external-schema",
        "",
        True,
    ),
    # events and processes
    "an event without type": Bad(
        task("emit: { event: { with: { source: 'https://x.y' } } }"), "/do/0/a/emit/event/with", 8, "missing"
    ),
    "a time that is none": Bad(
        task("emit: { event: { with: { type: t, time: now } } }"),
        "/do/0/a/emit/event/with/time",
        8,
        "pattern",
    ),
    "two strategies": Bad(
        task("listen: { to: { any: [], one: { with: { type: t } } } }"), "/do/0/a/listen/to", 8, "exclusive"
    ),
    "an empty filter": Bad(
        task("listen: { to: { one: { with: {} } } }"), "/do/0/a/listen/to/one/with", 8, "too-few"
    ),
    "until beside all": Bad(
        task("listen: { to: { all: [], until: '.x' } }"), "/do/0/a/listen/to/until", 8, "unknown-key"
    ),
    "until inside until": Bad(
        task("listen: { to: { any: [], until: { any: [], until: '.x' } } }"),
        "/do/0/a/listen/to/until/until",
        8,
        "unknown-key",
    ),
    "a filter that only the worker could evaluate": Bad(
        task("listen: { to: { one: { with: { data: '${ walk(.) == . }' } } } }"),
        "/do/0/a/listen/to/one/with/data",
        8,
        "not-native",
        "paths",
    ),
    "two processes": Bad(
        task("run: { shell: { command: ls }, script: { language: js, code: x } }"),
        "/do/0/a/run",
        8,
        "exclusive",
    ),
    "an eventual clean-up without a time": Bad(
        task("run: { container: { image: i, lifetime: { cleanup: eventually } } }"),
        "/do/0/a/run/container/lifetime",
        8,
        "missing",
    ),
    "a clean-up time without eventual clean-up": Bad(
        task("run: { container: { image: i, lifetime: { cleanup: always, after: PT1S } } }"),
        "/do/0/a/run/container/lifetime/after",
        8,
        "unknown-key",
    ),
    # our extensions
    "an unknown extension of the document": Bad(
        HEADER + "  metadata: { counterpoint: { onfault: pause } }\ndo: []\n",
        "/document/metadata/counterpoint/onfault",
        6,
        "unknown-key",
        "`onFault`",
    ),
    "a misspelt prefix": Bad(
        HEADER + "  metadata: { conterpoint: { onFault: pause } }\ndo: []\n",
        "/document/metadata/conterpoint",
        6,
        "unknown-key",
        "`counterpoint`",
        True,
    ),
    "an unknown extension of a task": Bad(
        task("for: { in: '.x' }\ndo: []\nmetadata: { counterpoint: { paralel: 2 } }"),
        "/do/0/a/metadata/counterpoint/paralel",
        10,
        "unknown-key",
        "`parallel`",
    ),
    "an extension on the wrong kind": Bad(
        task("wait: PT1S\nmetadata: { counterpoint: { parallel: 2 } }"),
        "/do/0/a/metadata/counterpoint/parallel",
        9,
        "misplaced",
    ),
    "no parallel iterations": Bad(
        task("for: { in: '.x' }\ndo: []\nmetadata: { counterpoint: { parallel: 0 } }"),
        "/do/0/a/metadata/counterpoint/parallel",
        10,
        "number-range",
    ),
    "an unknown compensation": Bad(
        task("call: a.b\nmetadata: { counterpoint: { compensate: undo } }"),
        "/do/0/a/metadata/counterpoint/compensate",
        9,
        "dangling",
    ),
    "a loop variable in a compensation": Bad(
        task(
            "for: { in: '.x' }\ndo:\n- b:\n    call: c.d\n    metadata:\n      counterpoint:\n"
            "        compensate: { call: e.f, with: { x: '${ $item }' } }"
        ),
        "/do/0/a/do/0/b/metadata/counterpoint/compensate/with/x",
        14,
        "variable",
    ),
    "a header that is none": Bad(
        task("call: a.b\nmetadata: { counterpoint: { idempotency: { header: 'a b' } } }"),
        "/do/0/a/metadata/counterpoint/idempotency/header",
        9,
        "pattern",
    ),
    "a concurrency without a limit": Bad(
        HEADER + "  metadata: { counterpoint: { concurrency: { key: .x } } }\ndo: []\n",
        "/document/metadata/counterpoint/concurrency",
        6,
        "missing",
    ),
    "two layers of retries": Bad(
        document(
            """
            use: { retries: { r: { limit: { attempt: { count: 2 } } } } }
            do:
            - a:
                try:
                - b: { call: c.d, metadata: { counterpoint: { retry: r } } }
                catch: { retry: { limit: { attempt: { count: 4 } } } }
            """
        ),
        "/do/0/a/try/0/b/metadata/counterpoint/retry",
        10,
        "retry-product",
        "one of the two",
        True,
    ),
    "an unknown extension target": Bad(
        document("use: { extensions: [ { e: { extend: do } } ] }\ndo: []"),
        "/use/extensions/0/e/extend",
        6,
        "not-allowed",
    ),
}


@pytest.mark.parametrize("bad", RULES.values(), ids=RULES.keys())
def test_a_rule_names_the_place_the_line_and_what_to_do(bad: Bad) -> None:
    problems = check(bad.text)
    assert [(p.pointer, p.line, p.code, p.is_warning) for p in problems] == [
        (bad.pointer, bad.line, bad.code, bad.is_warning)
    ]
    assert bad.hint in problems[0].hint
    assert problems[0].message
    assert problems[0].column >= 1


@pytest.mark.parametrize("bad", RULES.values(), ids=RULES.keys())
def test_a_warning_does_not_forbid_a_document_and_a_problem_does(bad: Bad) -> None:
    if bad.is_warning:
        assert [p.code for p in load(bad.text).warnings] == [bad.code]
        return
    with pytest.raises(DefinitionError) as raised:
        load(bad.text)
    assert [p.code for p in raised.value.problems] == [bad.code]


def test_all_problems_of_a_document_come_at_once_in_the_order_of_its_text() -> None:
    text = """\
document: { dsl: 1.0.3, namespace: test, name: sample, version: '1' }
do:
- a: { set: {}, then: nowhere }
- b: { cal: http }
- c: { if: '.x ==', wait: 5s }
timeout: absent
"""
    assert [(p.line, p.code) for p in check(text)] == [
        (1, "pattern"),
        (3, "too-few"),
        (3, "unknown-target"),
        (4, "no-kind"),
        (5, "expression"),
        (5, "duration"),
        (6, "dangling"),
    ]


def test_a_misspelt_required_key_is_named_on_both_sides() -> None:
    problems = check(HEADER.replace("namespace", "nmespace") + "do: []\n")
    assert [(p.pointer, p.line, p.code) for p in problems] == [
        ("/document", 1, "missing"),
        ("/document/nmespace", 3, "unknown-key"),
    ]
    assert problems[0].hint == "Is `nmespace` meant to be `namespace`?"
    assert problems[1].hint == "Did you mean `namespace`?"
