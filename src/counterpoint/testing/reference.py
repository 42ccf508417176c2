"""A small second interpreter: what a workflow gives and does in a world without trouble.

Plain recursion over the document as written, with no engine, no history and no concurrency: branches run one
after the other, time is a number. It shares the expressions with the product (they have a reference of their
own) and nothing else. It knows the task kinds and forms that `programs` draws.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

import msgspec

from counterpoint.core.expr import compile_expression, is_truthy
from counterpoint.core.expr.compile import strip_expression
from counterpoint.core.expr.program import NativeLimit
from counterpoint.core.values import JsonValue

Evaluate: TypeAlias = Callable[[str, JsonValue, Mapping[str, JsonValue]], JsonValue]
Document: TypeAlias = dict[str, Any]

TIMEOUT = ("timeout", 408)


class Fault(Exception):
    """An error on its way up: type and status."""

    def __init__(self, kind: str, status: int) -> None:
        super().__init__(f"{kind} {status}")
        self.kind = kind
        self.status = status


class Ended(Exception):
    """`then: end`."""

    def __init__(self, output: JsonValue) -> None:
        super().__init__()
        self.output = output


class TooSlow(Exception):
    """A branch waits longer than its rivals take."""


class Effect(msgspec.Struct, frozen=True):
    """An effect: the run by the steps that led to it, the action and the step."""

    run: str
    action: str
    step: str


class Expected(msgspec.Struct):
    """What a run must come to.

    Attributes:
        status: `completed` or `faulted`.
        output: Output of a completed run.
        fault: Last part of the type, and the status, of a faulted one.
        effects: How often each effect is made.
    """

    status: str
    output: JsonValue
    fault: tuple[str, int] | None
    effects: Counter[Effect]


class Scope(msgspec.Struct):
    """Where the walk stands: variables, `$context` in a box, when time is up, whether a retry encloses."""

    variables: dict[str, JsonValue]
    context: list[JsonValue]
    deadlines: tuple[tuple[float, type[Exception]], ...] = ()

    def branch(self) -> Scope:
        """A copy with a `$context` of its own."""
        return Scope(dict(self.variables), list(self.context), self.deadlines)

    def knowing(self, **more: JsonValue) -> Scope:
        """The same with more variables."""
        return Scope({**self.variables, **more}, self.context, self.deadlines)

    def until(self, instant: float, late: type[Exception]) -> Scope:
        """The same with another deadline."""
        return Scope(self.variables, self.context, (*self.deadlines, (instant, late)))


class TimedOut(Exception):
    """The time-out of a task came."""


def expect(documents: list[Document], value: JsonValue, evaluate: Evaluate) -> Expected:
    """What the first document must come to.

    Args:
        documents: The workflow and those that it runs.
        value: Its input.
        evaluate: Evaluates programs outside the native subset.
    """
    by_name = {document["document"]["name"]: document for document in documents}
    walk = Walk(documents[0], by_name, evaluate, "", Counter())
    return walk.whole(value)


class Walk:
    """One run."""

    def __init__(
        self,
        document: Document,
        documents: dict[str, Document],
        evaluate: Evaluate,
        run: str,
        effects: Counter[Effect],
    ) -> None:
        self.document = document
        self.documents = documents
        self.evaluate = evaluate
        self.run = run
        self.effects = effects
        self.remembered: dict[str, JsonValue] = {}
        self.now = 0.0

    def whole(self, value: JsonValue) -> Expected:
        """The run from its input to its output."""
        scope = Scope({}, [{}])
        try:
            try:
                output, _ = self.tasks(self.document["do"], "do", value, scope)
            except Ended as ended:
                output = ended.output
            output = self.transformed(self.document.get("output"), output, scope)
        except Fault as fault:
            return Expected("faulted", None, (fault.kind.rpartition("/")[2], fault.status), self.effects)
        return Expected("completed", output, None, self.effects)

    def tasks(
        self, tasks: list[Document], key: str, value: JsonValue, scope: Scope
    ) -> tuple[JsonValue, bool]:
        """A list of tasks: the data behind it, and whether `exit` left it."""
        names = [next(iter(item)) for item in tasks]
        visits: Counter[str] = Counter()
        index = 0
        while index < len(names):
            name = names[index]
            visits[name] += 1
            suffix = f"~{visits[name]}" if visits[name] > 1 else ""
            value, then = self.task(tasks[index][name], f"{key}.{name}{suffix}", value, scope)
            if then == "exit":
                return value, True
            if then == "end":
                raise Ended(value)
            index = index + 1 if then == "continue" else names.index(then)
        return value, False

    def task(self, task: Document, key: str, raw: JsonValue, scope: Scope) -> tuple[JsonValue, str]:
        """One task: its output and where to go."""
        if "if" in task and not is_truthy(self.value(task["if"], raw, scope)):
            return raw, "continue"
        value = raw
        if "input" in task:
            value = self.value(task["input"]["from"], raw, scope)
        kind = next(kind for kind in _KINDS if kind in task)
        output, then = self.bounded(task, lambda inner: _KINDS[kind](self, task, key, value, inner), scope)
        output = self.transformed(task.get("output"), output, scope)
        if "export" in task:
            scope.context[0] = self.value(task["export"]["as"], output, scope)
        return output, then or task.get("then", "continue")

    def bounded(self, task: Document, body: Callable[[Scope], Any], scope: Scope) -> Any:
        """A body under the task's time-out."""
        if "timeout" not in task:
            return body(scope)
        own: type[TimedOut] = type("Own", (TimedOut,), {})
        try:
            return body(scope.until(self.now + task["timeout"]["after"]["seconds"], own))
        except own:
            raise Fault(*TIMEOUT) from None

    def transformed(self, spec: Document | None, output: JsonValue, scope: Scope) -> JsonValue:
        """`output.as`."""
        return output if spec is None else self.value(spec["as"], output, scope)

    def value(self, node: JsonValue, data: JsonValue, scope: Scope) -> JsonValue:
        """An expression, or a template of them."""
        if isinstance(node, dict):
            return {name: self.value(part, data, scope) for name, part in node.items()}
        if not isinstance(node, str) or strip_expression(node) is None:
            return node
        program = compile_expression(node)
        variables = {"context": scope.context[0], **scope.variables}
        known = {name: variables.get(name) for name in program.variables}
        if program.native is not None:
            try:
                return program.native(data, known)
            except NativeLimit:
                pass
        return self.evaluate(program.text, data, known)

    def at_once(self, branches: Iterable[Callable[[], Any]]) -> list[Any]:
        """Results of branches that begin together and are all awaited."""
        began = latest = self.now
        results = []
        for branch in branches:
            self.now = began
            results.append(branch())
            latest = max(latest, self.now)
        self.now = latest
        return results

    def passes(self, seconds: float, scope: Scope) -> None:
        """Let time pass; what its end is too late for raises."""
        until = self.now + seconds
        late = [deadline for deadline in scope.deadlines if deadline[0] < until]
        if late:
            instant, raised = min(late, key=lambda deadline: deadline[0])
            self.now = instant
            raise raised
        self.now = until


# -- kinds ------------------------------------------------------------------------------------------------

_Result: TypeAlias = tuple[JsonValue, str | None]


def _do(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    return walk.tasks(task["do"], f"{key}.do", value, scope)[0], None


def _set(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    return walk.value(task["set"], value, scope), None


def _wait(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    wait = task["wait"]
    walk.passes(wait.get("seconds", 0) + wait.get("milliseconds", 0) / 1000, scope)
    return value, None


def _raise(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    error = task["raise"]["error"]
    raise Fault(error["type"], error["status"])


def _switch(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    default: str | None = None
    for item in task["switch"]:
        case = next(iter(item.values()))
        if "when" not in case:
            default = case["then"]
        elif is_truthy(walk.value(case["when"], value, scope)):
            return value, str(case["then"])
    return value, default


def _call(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    arguments = walk.value(task["with"], value, scope)
    function = walk.document["use"].get("functions", {}).get(task["call"])
    if function is not None:
        inner = Scope({}, scope.context, scope.deadlines)
        return walk.task(function, f"{key}.function", arguments, inner)[0], None
    action, result = task["call"], arguments["value"]
    if action == "world.keyed":
        step = without_attempts(key)
        if step not in walk.remembered:
            walk.remembered[step] = result
            walk.effects[Effect(walk.run, action, step)] += 1
        return walk.remembered[step], None
    walk.effects[Effect(walk.run, action, key)] += 1
    return result, None


def _for(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    items = walk.value(task["for"]["in"], value, scope) or []
    each = task["for"]["each"]
    if task.get("metadata"):
        frames = [scope.branch().knowing(**{each: item, "index": at}) for at, item in enumerate(items)]
        results = walk.at_once(
            partial(walk.tasks, task["do"], f"{key}.for[{at}]", value, frame)
            for at, frame in enumerate(frames)
        )
        scope.context[0] = merged(scope.context[0], [frame.context[0] for frame in frames])
        return [output for output, _ in results], None
    for at, item in enumerate(items):
        frame = scope.knowing(**{each: item, "index": at})
        if "while" in task and not is_truthy(walk.value(task["while"], value, frame)):
            break
        value, has_exited = walk.tasks(task["do"], f"{key}.for[{at}]", value, frame)
        if has_exited:
            break
    return value, None


def _fork(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    if task["fork"].get("compete"):
        return _race(walk, task, key, value, scope)
    branches = [next(iter(item.items())) for item in task["fork"]["branches"]]
    for name, branch in branches:
        if "raise" in branch:  # the others wait long
            walk.task(branch, f"{key}.fork.{name}", value, scope)
    frames = [scope.branch() for _ in branches]
    results = walk.at_once(
        partial(walk.task, branch, f"{key}.fork.{name}", value, frame)
        for (name, branch), frame in zip(branches, frames, strict=True)
    )
    scope.context[0] = merged(scope.context[0], [frame.context[0] for frame in frames])
    return [output for output, _ in results], None


def _race(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    began = walk.now
    for item in task["fork"]["branches"]:
        walk.now = began
        name, branch = next(iter(item.items()))
        frame = scope.branch().until(began + SLOW_S, TooSlow)
        try:
            output = walk.task(branch, f"{key}.fork.{name}", value, frame)[0]
        except (TooSlow, Fault):
            continue
        scope.context[0] = frame.context[0]
        return output, None
    raise AssertionError("a race has a winner")


SLOW_S = 300
"""What takes longer than this loses every race; all else is much quicker."""


def _try(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    catch = task["catch"]
    retries = catch["retry"]["limit"]["attempt"]["count"] if "retry" in catch else 0
    number = 1
    while True:
        try:
            return walk.tasks(task["try"], f"{key}.try#{number}", value, scope)[0], None
        except Fault as fault:
            wanted = catch.get("errors", {}).get("with", {}).get("status", fault.status)
            if wanted != fault.status:
                raise
            if number > retries:
                return _caught(walk, task, key, value, scope, fault)
        walk.passes(catch["retry"]["delay"]["milliseconds"] / 1000, scope)
        number += 1


def _caught(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope, fault: Fault) -> _Result:
    catch = task["catch"]
    if "do" not in catch:
        if "retry" in catch:
            raise fault
        return value, None
    told = {"type": fault.kind, "status": fault.status}
    frame = scope.knowing(**{catch.get("as", "error"): told})
    return walk.tasks(catch["do"], f"{key}.catch", value, frame)[0], None


def _run(walk: Walk, task: Document, key: str, value: JsonValue, scope: Scope) -> _Result:
    workflow = task["run"]["workflow"]
    is_awaited = task["run"].get("await", True)
    label = f"{walk.run}/{key}" if is_awaited else f"{walk.run}/~{workflow['name']}"
    given = walk.value(workflow["input"], value, scope)
    child = Walk(walk.documents[workflow["name"]], walk.documents, walk.evaluate, label, walk.effects)
    result = child.whole(given)
    if not is_awaited:
        return value, None
    walk.now += child.now
    if result.fault is not None:
        raise Fault(*result.fault)
    return result.output, None


def merged(start: JsonValue, contexts: list[JsonValue]) -> JsonValue:
    """`$context` behind concurrent branches, all of which are objects here: the changes of each, in order."""
    result: dict[str, JsonValue] = dict(start)
    for context in contexts:
        result.update({name: value for name, value in context.items() if start.get(name) != value})
    return result


def without_attempts(key: str) -> str:
    """A step's key without the attempts of `try`."""
    return ".".join(part.partition("#")[0] for part in key.split("."))


_KINDS: dict[str, Callable[[Walk, Document, str, JsonValue, Scope], _Result]] = {
    "call": _call,
    "set": _set,
    "wait": _wait,
    "raise": _raise,
    "switch": _switch,
    "for": _for,
    "fork": _fork,
    "try": _try,
    "run": _run,
    "do": _do,
}
