"""The compiled model: references, targets, durations, scopes and extensions are resolved."""

from __future__ import annotations

from typing import TypeVar

from counterpoint.core.dsl.loader import check, load
from counterpoint.core.dsl.model import (
    CONTINUE,
    END,
    EXIT,
    Backoff,
    CallFunctionTask,
    CallHttpTask,
    CallProtocolTask,
    Directive,
    DoTask,
    Flow,
    ForkTask,
    ForTask,
    ListenTask,
    OnFault,
    OnUncertain,
    RaiseTask,
    RunProcessTask,
    RunWorkflowTask,
    SetTask,
    SwitchTask,
    Task,
    TryTask,
    WaitTask,
)
from counterpoint.core.dsl.walk import tasks_of
from counterpoint.core.expr.program import Program, Template
from counterpoint.core.values import Duration
from tests.unit.core.dsl.documents import HEADER, document, task

T = TypeVar("T", bound=Task)


def first(text: str, kind: type[T]) -> T:
    """The first task of a document."""
    found = load(text).do.tasks[0]
    assert isinstance(found, kind)
    return found


def text_of(part: Program | Template | None) -> str:
    """Text of a part that must be a program."""
    assert isinstance(part, Program)
    return part.text


def test_the_header_is_kept() -> None:
    workflow = load(HEADER + "  title: T\n  summary: S\n  tags: { a: 1 }\ndo: []\nextra: 1\n")
    assert (workflow.dsl, workflow.namespace, workflow.name, workflow.version) == (
        "1.0.3",
        "test",
        "sample",
        "1.0.0",
    )
    assert (workflow.title, workflow.summary, workflow.tags) == ("T", "S", {"a": 1})
    assert workflow.definition["extra"] == 1
    assert (workflow.mode, workflow.language, workflow.warnings, workflow.do.tasks) == (
        "strict",
        "jq",
        (),
        (),
    )


def test_documents_of_all_versions_1_0_load() -> None:
    for version in ("1.0.0", "1.0.1", "1.0.2", "1.0.3", "1.0.0-alpha5"):
        assert load(HEADER.replace("1.0.3", version) + "do: []\n").dsl == version


def test_pointers_are_rfc_6901_and_definitions_are_as_written() -> None:
    text = document("do:\n- a/b~c:\n    do:\n    - x: { wait: PT1S, metadata: { other: 1 } }")
    outer = first(text, DoTask)
    assert outer.pointer == "/do/0/a~1b~0c"
    assert outer.do.pointer == "/do/0/a~1b~0c/do"
    inner = outer.do.tasks[0]
    assert inner.pointer == "/do/0/a~1b~0c/do/0/x"
    assert inner.definition == {"wait": "PT1S", "metadata": {"other": 1}}


def test_directives_are_indices_of_the_same_list() -> None:
    workflow = load(
        document(
            """
            do:
            - a: { set: { x: 1 }, then: c }
            - b: { switch: [ { x: { when: .y, then: exit } }, { z: { then: a } } ], then: continue }
            - c: { try: [ { b: { wait: PT1S, then: end } } ], catch: { then: b } }
            """
        )
    )
    a, b, c = workflow.do.tasks
    assert a.then == Directive(Flow.GOTO, 2, "c")
    assert isinstance(b, SwitchTask)
    assert [case.then for case in b.cases] == [EXIT, Directive(Flow.GOTO, 0, "a")]
    assert b.cases[1].when is None
    assert isinstance(c, TryTask)
    assert (c.then, c.catch.then, c.do.tasks[0].then) == (CONTINUE, Directive(Flow.GOTO, 1, "b"), END)


def test_expressions_by_definition_may_be_bare_or_enclosed() -> None:
    for condition in (".a == 1", "${ .a == 1 }", "${\n  .a\n  == 1\n}"):
        found = first(document(f"do:\n- a: {{ wait: PT1S, if: {condition!r} }}".replace("'", '"')), WaitTask)
        assert found.condition is not None
        assert found.condition.native is not None
        assert found.condition.native({"a": 1}, {}) is True


def test_an_expression_of_several_lines_is_one_everywhere() -> None:
    found = first(task("wait: |-\n  ${\n    .delay\n  }"), WaitTask)
    assert text_of(found.wait if isinstance(found.wait, Program) else None) == ".delay"
    call = first(
        task("call: http\nwith:\n  method: get\n  endpoint: |\n    ${\n      .url\n    }"), CallHttpTask
    )
    assert isinstance(call.endpoint.uri, Program)


def test_strict_mode_keeps_bare_texts_and_loose_mode_tries_them() -> None:
    strict = first(task("set: { x: .a, y: '${ .a }' }"), SetTask)
    assert [path for path, _ in strict.value.holes] == [("y",)]
    text = "evaluate: { mode: loose }\ndo:\n- a: { set: { x: .a, y: hello world, z: 'no (expression' } }"
    workflow = load(document(text))
    found = workflow.do.tasks[0]
    assert isinstance(found, SetTask)
    assert workflow.mode == "loose"
    assert found.value.is_loose
    assert workflow.warnings == ()


def test_data_flow_is_compiled_with_its_schemas() -> None:
    found = first(
        task(
            """
            wait: PT1S
            input: { from: .a, schema: { document: { type: integer } } }
            output: { as: { b: '${ . }' } }
            export: { as: '$context + { c: $output }', schema: { format: 'json:2020', document: true } }
            """
        ),
        WaitTask,
    )
    assert found.input is not None
    assert found.input.schema is not None
    assert found.input.schema.pointer == "/do/0/a/input/schema/document"
    assert (found.input.schema.check(1), len(found.input.schema.check("x"))) == ([], 1)
    assert text_of(found.input.transform) == ".a"
    assert found.output is not None
    assert isinstance(found.output.transform, Template)
    assert found.export is not None
    assert found.export.schema is not None
    assert found.export.schema.check(None) == []


def test_an_external_schema_is_needed_and_used_when_it_is_there() -> None:
    text = task("wait: PT1S\ninput: { schema: { resource: { endpoint: { uri: 'https://x.y/s' } } } }")
    workflow = load(text)
    assert workflow.resources == ("https://x.y/s",)
    assert [warning.code for warning in workflow.warnings] == ["external-schema"]
    fetched = load(text, {"https://x.y/s": {"type": "integer"}})
    assert (fetched.resources, fetched.warnings) == (("https://x.y/s",), ())
    spec = fetched.do.tasks[0].input
    assert spec is not None
    assert spec.schema is not None
    assert spec.schema.check("x")
    broken = check(text, {"https://x.y/s": {"$ref": "https://x.y/t"}})
    assert [(problem.pointer, problem.code) for problem in broken] == [
        ("/do/0/a/input/schema/resource/endpoint/uri", "schema")
    ]


def test_durations_are_amounts_or_programs() -> None:
    text = document(
        """
        use: { timeouts: { short: { after: { seconds: 5 } } } }
        timeout: short
        do:
        - a: { wait: { hours: 1, minutes: 30 }, timeout: short }
        - b: { wait: '${ .delay }', timeout: { after: P1M } }
        """
    )
    workflow = load(text)
    a, b = workflow.do.tasks
    assert workflow.timeout == a.timeout == Duration(5_000_000)
    assert isinstance(a, WaitTask)
    assert isinstance(b, WaitTask)
    assert a.wait == Duration(5_400_000_000)
    assert isinstance(b.wait, Program)
    assert b.timeout == Duration(0, 1)


def test_a_loop_has_its_variables_inside_alone() -> None:
    found = first(
        task(
            """
            for: { each: pet, at: i, in: .pets }
            while: $pet.sick and $i < 3
            do: [ { x: { set: { p: '${ $pet }', e: '${ $i }' } } } ]
            """
        ),
        ForTask,
    )
    assert (found.each, found.at) == ("pet", "i")
    assert text_of(found.collection) == ".pets"
    assert text_of(found.condition_while) == "$pet.sick and $i < 3"
    inline = first(task("for: { in: [ { a: 1 } ] }\ndo: []"), ForTask)
    assert isinstance(inline.collection, Template)
    assert inline.collection.is_constant
    assert (inline.each, inline.at, inline.condition_while) == ("item", "index", None)


def test_a_fork_has_branches() -> None:
    found = first(task("fork: { compete: true, branches: [ { x: { wait: PT1S } } ] }"), ForkTask)
    assert (found.compete, [branch.name for branch in found.branches.tasks]) == (True, ["x"])


def test_an_error_is_inline_or_named() -> None:
    text = document(
        """
        use: { errors: { bad: { type: 'https://x.y/bad', status: 409, detail: '${ "no " + .name }' } } }
        do: [ { a: { raise: { error: bad } } } ]
        """
    )
    error = first(text, RaiseTask).error
    assert (error.type.source, error.status, error.title) == ("https://x.y/bad", 409, None)
    assert error.detail is not None
    assert not error.detail.is_constant


def test_a_catch_is_compiled_whole() -> None:
    found = first(
        document(
            """
            use:
              retries: { slow: { delay: PT1S, backoff: { exponential: { factor: 3, maxDelay: PT1M } } } }
            do:
            - a:
                try: []
                catch:
                  errors: { with: { details: lost, status: 503 } }
                  as: e
                  when: .status > 500
                  exceptWhen: $e.title == "x"
                  retry: slow
                  do: [ { b: { set: { s: '${ $e.status }' } } } ]
            """
        ),
        TryTask,
    ).catch
    assert (found.name, found.errors, found.then) == ("e", {"detail": "lost", "status": 503}, None)
    assert text_of(found.when) == ".status > 500"
    assert text_of(found.except_when) == '$e.title == "x"'
    assert found.do is not None
    assert found.retry is not None
    assert (found.retry.pointer, found.retry.backoff) == ("/use/retries/slow", Backoff.EXPONENTIAL)
    assert (found.retry.delay, found.retry.factor) == (Duration(1_000_000), 3.0)
    assert (found.retry.max_delay, found.retry.attempt_count) == (Duration(60_000_000), None)


def test_a_retry_policy_is_compiled_whole() -> None:
    retry = first(
        task(
            """
            try: []
            catch:
              retry:
                when: $error.status == 503
                delay: '${ .delay }'
                backoff: { linear: {} }
                jitter: { from: PT1S, to: '${ .most }' }
                limit: { attempt: { count: 5, duration: PT9S }, duration: PT1H }
            """
        ),
        TryTask,
    ).catch.retry
    assert retry is not None
    assert (retry.backoff, retry.attempt_count) == (Backoff.LINEAR, 5)
    assert (retry.attempt_duration, retry.duration) == (Duration(9_000_000), Duration(3_600_000_000))
    assert text_of(retry.when) == "$error.status == 503"
    assert isinstance(retry.delay, Program)
    assert retry.jitter is not None
    assert isinstance(retry.jitter[1], Program)


def test_an_http_call_is_compiled_whole() -> None:
    found = first(
        document(
            """
            use: { authentications: { mine: { basic: { username: u, password: '${ .p }' } } } }
            do:
            - a:
                call: http
                with:
                  method: post
                  endpoint: { uri: 'https://x.y/{id}', authentication: { use: mine } }
                  headers: { n: 1, s: x }
                  query: { list: [ 1, x ], yes: true }
                  body: null
                  output: response
                  redirect: true
            """
        ),
        CallHttpTask,
    )
    assert (found.method, found.output_form, found.redirect) == ("POST", "response", True)
    assert found.endpoint.uri == "https://x.y/{id}"
    authentication = found.endpoint.authentication
    assert authentication is not None
    assert (authentication.scheme, authentication.pointer) == ("basic", "/use/authentications/mine/basic")
    assert [path for path, _ in authentication.properties.holes] == [("password",)]
    assert found.headers is not None
    assert found.query is not None
    assert found.body is not None
    assert found.body.source is None
    plain = first(
        task("call: http\nwith: { method: get, endpoint: '${ .url }', query: '${ .q }' }"), CallHttpTask
    )
    assert text_of(plain.endpoint.uri if isinstance(plain.endpoint.uri, Program) else None) == ".url"
    assert (plain.body, plain.headers, plain.output_form, plain.redirect) == (None, None, "content", False)


def test_functions_are_resolved_to_one_task_for_all_callers() -> None:
    workflow = load(
        document(
            """
            use: { functions: { f: { call: g }, g: { set: { x: '${ . }' } } } }
            do:
            - a: { call: f, with: { n: 1 } }
            - b: { do: [ { c: { call: f } } ] }
            """
        )
    )
    a, b = workflow.do.tasks
    assert isinstance(a, CallFunctionTask)
    assert isinstance(b, DoTask)
    c = b.do.tasks[0]
    assert isinstance(c, CallFunctionTask)
    assert a.function is c.function is workflow.functions["f"]
    assert isinstance(a.function, CallFunctionTask)
    assert a.function.function is workflow.functions["g"]
    assert workflow.functions["g"].pointer == "/use/functions/g"
    assert a.arguments is not None
    assert c.arguments is None


def test_names_of_actions_are_split() -> None:
    def target(name: str) -> tuple[str, str, str]:
        found = first(
            document(
                f"use: {{ catalogs: {{ c: {{ endpoint: 'https://x.y' }} }} }}\ndo:\n- a: {{ call: '{name}' }}"
            ),
            CallFunctionTask,
        )
        return found.target, found.version, found.catalog

    assert target("crm.enrich") == ("crm.enrich", "", "")
    assert target("crm.enrich:1.2.0@default") == ("crm.enrich", "1.2.0", "default")
    assert target("log:1.0.0@c") == ("log", "1.0.0", "c")
    assert target("https://x.y/function.yaml") == ("https://x.y/function.yaml", "", "")


def test_extensions_apply_to_their_kinds_and_never_to_themselves() -> None:
    workflow = load(
        document(
            """
            use:
              functions: { f: { call: http, with: { method: get, endpoint: 'https://x.y' } } }
              extensions:
              - log: { extend: all, before: [ { l: { call: f } } ] }
              - group: { extend: composite, when: '$task.name == "x"', after: [ { m: { wait: PT1S } } ] }
              - web: { extend: call, before: [ { n: { set: { x: 1 }, then: exit } } ] }
            do:
            - a: { do: [ { b: { call: f } } ] }
            - c: { wait: PT1S }
            - d: { fork: { branches: [] } }
            """
        )
    )
    a, c, d = workflow.do.tasks
    assert isinstance(a, DoTask)
    b = a.do.tasks[0]
    assert isinstance(b, CallFunctionTask)
    assert [extension.name for extension in a.extensions] == ["log", "group"]
    assert [extension.name for extension in b.extensions] == ["log", "web"]
    assert [extension.name for extension in c.extensions] == ["log"]
    assert [extension.name for extension in d.extensions] == ["log", "group"]
    assert b.function is not None
    assert [extension.name for extension in b.function.extensions] == ["log", "web"]
    log = c.extensions[0]
    assert log.before is not None
    inside = log.before.tasks[0]
    assert isinstance(inside, CallFunctionTask)
    assert inside.extensions == ()
    assert inside.function is not None
    assert inside.function.extensions == ()


def test_events_and_processes_are_compiled() -> None:
    found = first(
        task(
            """
            listen:
              to:
                any:
                - with: { type: t, data: '${ .x > 1 }' }
                  correlate: { id: { from: .data.id, expect: '${ $input.id }' }, other: { from: .o } }
                until: length > 2
              read: envelope
            foreach: { item: event, do: [ { x: { set: { e: '${ $event }', n: '${ $index }' } } } ] }
            """
        ),
        ListenTask,
    )
    strategy = found.strategy
    assert (strategy.kind, found.read) == ("any", "envelope")
    assert [name for name, _, _ in strategy.filters[0].correlate] == ["id", "other"]
    assert text_of(strategy.until if isinstance(strategy.until, Program) else None) == "length > 2"
    assert found.foreach is not None
    assert (found.foreach.item, found.foreach.at) == ("event", "index")
    child = first(
        task("run: { await: false, workflow: { namespace: n, name: w, version: latest } }"), RunWorkflowTask
    )
    assert (child.workflow, child.version, child.is_awaited, child.child_input) == (
        "w",
        "latest",
        False,
        None,
    )
    shell = first(task("run: { return: all, shell: { command: ls, arguments: { a: 1 } } }"), RunProcessTask)
    assert (shell.process, shell.returns) == ("shell", "all")
    grpc = first(
        task(
            "call: grpc\nwith: { proto: { endpoint: 'file://a' }, service: { name: s, host: h },"
            " method: m, arguments: { x: '${ .y }' } }"
        ),
        CallProtocolTask,
    )
    assert (grpc.protocol, [path for path, _ in grpc.arguments.holes]) == ("grpc", [("arguments", "x")])


def test_our_extensions_are_compiled() -> None:
    workflow = load(
        HEADER
        + """\
  metadata:
    counterpoint:
      owner: team
      criticality: high-risk
      onFault: pause
      onUncertain: pause
      outcome: .decision
      startKey: .id
      concurrency: { limit: 2, key: .customer }
      schedule: { timezone: Europe/Zurich, missed: all }
      retries: { crm: slow }
use:
  retries: { slow: { delay: PT1S } }
  functions: { undo: { call: pay.refund } }
do:
- a:
    call: pay.charge
    metadata:
      counterpoint:
        compensate: undo
        idempotency: { key: '${ .id }', header: X-Key, scope: attempt }
        onUncertain: pause
        onFault: pause
        retry: slow
- b:
    for: { in: .x }
    do: []
    metadata:
      counterpoint: { parallel: 4, compensate: { call: pay.cancel, with: { id: '${ .output.id }' } } }
- c: { listen: { to: { any: [] } }, metadata: { counterpoint: { lookback: P1D } } }
"""
    )
    assert workflow.warnings == ()
    extras = workflow.extras
    assert (extras.owner, extras.criticality, extras.on_fault, extras.on_uncertain) == (
        "team",
        "high-risk",
        OnFault.PAUSE,
        OnUncertain.PAUSE,
    )
    assert (text_of(extras.outcome), text_of(extras.start_key)) == (".decision", ".id")
    assert extras.concurrency is not None
    assert (extras.concurrency.limit, text_of(extras.concurrency.key)) == (2, ".customer")
    assert extras.schedule == {"timezone": "Europe/Zurich", "missed": "all"}
    assert extras.retries["crm"].delay == Duration(1_000_000)
    a, b, c = workflow.do.tasks
    assert a.extras.compensate is workflow.functions["undo"]
    assert a.extras.idempotency is not None
    assert (a.extras.idempotency.header, a.extras.idempotency.per_attempt) == ("X-Key", True)
    assert (a.extras.on_uncertain, a.extras.on_fault) == (OnUncertain.PAUSE, OnFault.PAUSE)
    assert a.extras.retry is not None
    assert b.extras.parallel == 4
    assert b.extras.compensate is not None
    assert b.extras.compensate.pointer == "/do/1/b/metadata/counterpoint/compensate"
    assert c.extras.lookback == Duration(86_400_000_000)


def test_a_walk_finds_every_task_once() -> None:
    workflow = load(
        document(
            """
            use:
              functions: { f: { do: [ { g: { wait: PT1S } } ] } }
              extensions: [ { e: { extend: wait, before: [ { h: { set: { x: 1 } } } ] } } ]
            do:
            - a: { fork: { branches: [ { b: { call: f } }, { c: { call: f } } ] } }
            - d:
                try: [ { i: { for: { in: .x }, do: [ { j: { wait: PT1S } } ] } } ]
                catch: { do: [ { k: { wait: PT1S } } ] }
            - l: { listen: { to: { any: [] } }, foreach: { do: [ { m: { wait: PT1S } } ] } }
            - n: { call: o.p, metadata: { counterpoint: { compensate: { call: q.r } } } }
            """
        )
    )
    names = sorted(found.name for found in tasks_of(workflow))
    assert names == sorted(["a", "b", "c", "compensate", "d", "f", "g", "h", "i", "j", "k", "l", "m", "n"])


def test_functions_may_nest_only_so_deep() -> None:
    def chain(length: int) -> str:
        functions = "".join(f"    f{n}: {{ do: [ {{ x: {{ call: f{n + 1} }} }} ] }}\n" for n in range(length))
        return document(
            f"use:\n  functions:\n{functions}    f{length}: {{ wait: PT1S }}\ndo:\n- a: {{ call: f0 }}\n"
        )

    assert load(chain(20)).do.tasks
    assert {problem.code for problem in check(chain(200))} == {"too-deep"}
    backwards = document(
        "use:\n  functions:\n    f0: { wait: PT1S }\n"
        + "".join(f"    f{n}: {{ do: [ {{ x: {{ call: f{n - 1} }} }} ] }}\n" for n in range(1, 200))
        + "do: []\n"
    )
    assert {problem.code for problem in check(backwards)} == {"too-deep"}
