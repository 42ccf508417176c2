"""Random workflows over all task kinds whose results and effects a plain reference can foretell.

What races is built so that the outcome does not depend on speed: of competing branches one is quick and the
others fail at once or wait long; a time-out is either far away or meets a long wait; where a branch may
fault, its neighbours have no effects before that. Everything else is drawn freely, from the seeded source.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

Tasks: TypeAlias = list[dict[str, Any]]

NAMESPACE = "simulation"
LONG_S = 400
"""A wait that nothing quick lasts as long as."""

TIGHT_S = 150
"""A time-out that ends before a long wait, and after everything quick even when the process dies often."""

FAR_S = 100_000
"""A time-out that is never reached."""

NUMBER = 'if type == "object" and (.n | type) == "number" then .n elif type == "number" then . else 1 end'
"""A number from whatever the data is."""

ACTIONS = ("world.keyed", "world.natural", "world.asked", "world.once")
ERROR_TYPE = "https://example.com/errors/"


class Place(msgspec.Struct, frozen=True):
    """What may stand at a place of a document.

    Attributes:
        depth: Nesting so far.
        may_fault: Whether an error may go up from here.
        may_end: Whether `then: end` is allowed.
        is_quick: Whether nothing may take long.
        variables: Names of loop variables in sight.
    """

    depth: int = 0
    may_fault: bool = True
    may_end: bool = True
    is_quick: bool = False
    variables: tuple[str, ...] = ()

    def inner(self, **changes: Any) -> Place:
        """A place one level down."""
        return msgspec.structs.replace(self, depth=self.depth + 1, **changes)


class Generated(msgspec.Struct, frozen=True):
    """Documents, the first of which is to be run, and its input."""

    documents: list[dict[str, Any]]
    input: Any

    @property
    def name(self) -> str:
        """Workflow to run."""
        return str(self.documents[0]["document"]["name"])


class Generator:
    """Draws programs.

    Args:
        source: Decides everything.
        max_depth: Deepest nesting.
    """

    def __init__(self, source: random.Random, max_depth: int = 3) -> None:
        self._source = source
        self._max_depth = max_depth
        self._count = 0
        self._prefix = ""
        self._functions: dict[str, Any] = {}
        self._children: list[dict[str, Any]] = []

    def program(self, prefix: str) -> Generated:
        """A workflow with the children that it runs; the prefix keeps their names apart from others'."""
        self._count, self._prefix, self._children = 0, prefix, []
        root = self._document(prefix, Place(), self._source.randint(3, 7))
        return Generated([root, *self._children], {"n": self._source.randrange(9)})

    def _document(self, name: str, place: Place, size: int) -> dict[str, Any]:
        outer, self._functions = self._functions, {}
        tasks = self._list(place, size)
        head = {"dsl": "1.0.3", "namespace": NAMESPACE, "name": name, "version": "1.0.0"}
        use: dict[str, Any] = {
            "retries": {"calls": {"delay": {"milliseconds": 200}, "backoff": {"linear": {}}}}
        }
        if self._functions:
            use["functions"] = self._functions
        self._functions = outer
        document: dict[str, Any] = {"document": head, "use": use, "do": tasks}
        if self._chance(0.2):
            document["output"] = {"as": "${ {result: .} }"}
        return document

    # -- lists --------------------------------------------------------------------------------------

    def _list(self, place: Place, size: int) -> Tasks:
        tasks: Tasks = []
        while len(tasks) < size:
            for name, task in self._draw(place):
                tasks.append({name: task})
        self._jump_forward(place, tasks)
        return tasks

    def _draw(self, place: Place) -> list[tuple[str, dict[str, Any]]]:
        """One task, or the few that belong together."""
        makers = list(_LEAVES)
        if place.depth < self._max_depth:
            makers += _NESTED
            if not place.is_quick:
                makers.append((1, Generator._too_slow))
        if place.may_fault:
            makers.append((1, Generator._raise))
        if place.depth < self._max_depth and self._chance(0.12):
            return self._loop(place)
        make: Callable[[Generator, Place], dict[str, Any]] = self._source.choices(
            [maker for _, maker in makers], [weight for weight, _ in makers]
        )[0]
        return [self._dress(place, make(self, place))]

    def _dress(self, place: Place, task: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Give a task what every task may have."""
        name = self._name("t")
        if "raise" in task or self._chance(0.12):
            task = {"if": f"${{ ({NUMBER}) % 3 != {self._source.randrange(3)} }}", **task}
        if self._chance(0.12):
            task["input"] = {"from": "${ {n: (" + NUMBER + ")} }"}
        if self._chance(0.2):
            task["output"] = {"as": self._value(place)}
        if self._chance(0.15):
            member = self._source.choice("abc")
            task["export"] = {"as": "${ $context + {" + member + ": (" + NUMBER + ")} }"}
        if "timeout" not in task and self._chance(0.08):
            task["timeout"] = {"after": {"seconds": FAR_S}}
        return name, task

    def _jump_forward(self, place: Place, tasks: Tasks) -> None:
        """Let some switches and tasks go somewhere else than to the next task."""
        names = [next(iter(item)) for item in tasks]
        for index, item in enumerate(tasks):
            task = item[names[index]]
            targets = ["continue", *names[index + 1 :], *(["exit"] if place.depth else [])]
            if place.may_end and self._chance(0.1):
                targets.append("end")
            if "switch" in task:
                for case in task["switch"]:
                    for branch in case.values():
                        branch.setdefault("then", self._source.choice(targets))
            elif "then" not in task and self._chance(0.06):
                task["then"] = self._source.choice(targets)

    def _loop(self, place: Place) -> list[tuple[str, dict[str, Any]]]:
        """A bounded loop by `then`, counted in `$context`."""
        first, again = self._name("t"), self._name("t")
        counter, times = self._name("c"), self._source.randint(2, 3)
        body = self._call(place)
        body["export"] = {"as": f"${{ $context + {{{counter}: (($context.{counter} // 0) + 1)}} }}"}
        cases = [
            {"more": {"when": f"${{ ($context.{counter} // 0) < {times} }}", "then": first}},
            {"over": {"then": "continue"}},
        ]
        return [(first, body), (again, {"switch": cases})]

    # -- leaves -------------------------------------------------------------------------------------

    def _set(self, place: Place) -> dict[str, Any]:
        if self._chance(0.3):
            return {"set": self._value(place)}
        if self._chance(0.2):
            return {"set": {"n": "${ [limit(2; 1, 2, 3)] | add }", "k": self._source.randrange(9)}}
        return {"set": {"n": self._source.randrange(9), "was": "${ " + NUMBER + " }"}}

    def _call(self, place: Place) -> dict[str, Any]:
        return {
            "call": self._source.choice(ACTIONS),
            "with": {"value": self._value(place)},
            "metadata": {"counterpoint": {"retry": "calls"}},
        }

    def _wait(self, place: Place) -> dict[str, Any]:
        return {"wait": {"milliseconds": self._source.randrange(1, 2_500)}}

    def _switch(self, place: Place) -> dict[str, Any]:
        cases: Tasks = [
            {f"c{number}": {"when": f"${{ ({NUMBER}) % 4 == {number} }}"}}
            for number in range(self._source.randint(1, 3))
        ]
        if self._chance(0.5):
            cases.insert(self._source.randrange(len(cases) + 1), {"other": {}})
        return {"switch": cases}

    def _raise(self, place: Place) -> dict[str, Any]:
        status = self._source.randint(400, 420)
        return {"raise": {"error": {"type": f"{ERROR_TYPE}{status}", "status": status, "title": "drawn"}}}

    def _value(self, place: Place) -> str:
        forms = [
            "${ {n: ((" + NUMBER + ") * 3 + 1) % 1000} }",
            "${ {n: (" + NUMBER + "), m: $context} }",
            "${ {n: " + str(self._source.randrange(20)) + "} }",
            "${ " + NUMBER + " }",
        ]
        forms += ["${ {n: (" + f"${name}" + " | " + NUMBER + ")} }" for name in place.variables]
        return self._source.choice(forms)

    # -- nested -------------------------------------------------------------------------------------

    def _do(self, place: Place) -> dict[str, Any]:
        return {"do": self._list(place.inner(), self._source.randint(1, 3))}

    def _for(self, place: Place) -> dict[str, Any]:
        each = self._name("v")
        body = place.inner(variables=(*place.variables, each))
        items = "${ [" + ", ".join(str(self._source.randrange(9)) for _ in range(self._few())) + "] }"
        task: dict[str, Any] = {"for": {"each": each, "in": items}}
        if self._chance(0.3):
            task["while"] = f"${{ ({NUMBER}) % 5 != 4 }}"
        return {**task, "do": self._list(body, self._source.randint(1, 3))}

    def _parallel(self, place: Place) -> dict[str, Any]:
        each = self._name("v")
        body = place.inner(may_fault=False, may_end=False, variables=(*place.variables, each))
        items = "${ [" + ", ".join(str(self._source.randrange(9)) for _ in range(self._few())) + "] }"
        return {
            "for": {"each": each, "in": items},
            "do": self._list(body, self._source.randint(1, 2)),
            "metadata": {"counterpoint": {"parallel": self._source.randint(1, 3)}},
        }

    def _fork(self, place: Place) -> dict[str, Any]:
        inner = place.inner(may_fault=False, may_end=False)
        branches = [self._branch(self._do(inner)) for _ in range(self._source.randint(1, 3))]
        return {"fork": {"branches": branches}}

    def _broken_fork(self, place: Place) -> dict[str, Any]:
        """One branch faults at once; the others wait long before they do anything."""
        branches = [self._branch(self._late(place)) for _ in range(self._source.randint(1, 2))]
        branches.insert(self._source.randrange(len(branches) + 1), self._branch(self._raise(place)))
        task = {"fork": {"branches": branches}}
        return task if place.may_fault else self._guarded(place, task)

    def _race(self, place: Place) -> dict[str, Any]:
        inner = place.inner(may_fault=False, may_end=False, is_quick=True)
        losers = [self._late(place), self._raise(place), self._late(place)]
        branches = [self._branch(task) for task in losers[: self._source.randint(1, 3)]]
        branches.insert(self._source.randrange(len(branches) + 1), self._branch(self._do(inner)))
        return {"fork": {"compete": True, "branches": branches}}

    def _late(self, place: Place) -> dict[str, Any]:
        tasks: Tasks = [
            {self._name("t"): {"wait": {"seconds": LONG_S}}},
            {self._name("t"): self._call(place)},
        ]
        return {"do": tasks}

    def _too_slow(self, place: Place) -> dict[str, Any]:
        """A time-out that comes, behind some effects."""
        early = [{self._name("t"): self._call(place)} for _ in range(self._source.randint(0, 2))]
        task = {"do": [*early, *self._late(place)["do"]], "timeout": {"after": {"seconds": TIGHT_S}}}
        return task if place.may_fault else self._guarded(place, task)

    def _guarded(self, place: Place, task: dict[str, Any]) -> dict[str, Any]:
        return {"try": [{self._name("t"): task}], "catch": {"do": self._list(_LEAF_PLACE, 1)}}

    def _try(self, place: Place) -> dict[str, Any]:
        body = self._list(place.inner(may_fault=True), self._source.randint(1, 3))
        catch: dict[str, Any] = {"as": self._name("e")}
        if place.may_fault and self._chance(0.3):
            catch["errors"] = {"with": {"status": self._source.randint(400, 420)}}
        if self._chance(0.7):
            seen = place.inner(variables=(*place.variables, catch["as"]))
            catch["do"] = self._list(seen, self._source.randint(1, 2))
        return {"try": body, "catch": catch}

    def _retried(self, place: Place) -> dict[str, Any]:
        """A `try` whose list fails some times, and then does not, or never stops failing."""
        counter, times = self._name("c"), self._source.randint(1, 4)
        count = {"set": {"n": 1}, "export": {"as": self._counted(counter)}}
        failure = {"if": f"${{ $context.{counter} < {times} }}", **self._raise(place)}
        calls = [{self._name("t"): self._call(place)} for _ in range(self._source.randint(1, 2))]
        retry = {"delay": {"milliseconds": 500}, "limit": {"attempt": {"count": 2}}}
        catch: dict[str, Any] = {"retry": retry}
        if not place.may_fault or self._chance(0.6):
            catch["do"] = self._list(_LEAF_PLACE, 1)
        body = [{self._name("t"): count}, *calls, {self._name("t"): failure}]
        return {"try": body, "catch": catch}

    def _counted(self, counter: str) -> str:
        return f"${{ $context + {{{counter}: (($context.{counter} // 0) + 1)}} }}"

    def _child(self, place: Place) -> dict[str, Any]:
        name = self._name(f"{self._prefix}-child-")
        depth = max(place.depth, self._max_depth - 1)
        inner = Place(depth=depth, may_fault=place.may_fault, is_quick=place.is_quick)
        child = self._document(name, inner, self._source.randint(1, 3))
        self._children.append(child)
        workflow = {
            "namespace": NAMESPACE,
            "name": name,
            "version": "1.0.0",
            "input": {"n": "${ " + NUMBER + " }"},
        }
        run: dict[str, Any] = {"workflow": workflow}
        if self._chance(0.25):
            run["await"] = False
        return {"run": run}

    def _function(self, place: Place) -> dict[str, Any]:
        name = self._name("f")
        self._functions[name] = self._call(_LEAF_PLACE) if self._chance(0.5) else self._do(_LEAF_PLACE)
        return {"call": name, "with": {"n": "${ " + NUMBER + " }"}}

    # -- drawing ------------------------------------------------------------------------------------

    def _branch(self, task: dict[str, Any]) -> dict[str, Any]:
        return {self._name("t"): task}

    def _name(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _few(self) -> int:
        return self._source.choice((0, 1, 2, 3))

    def _chance(self, share: float) -> bool:
        return self._source.random() < share


_LEAF_PLACE = Place(depth=99, may_fault=False, may_end=False)

_Maker: TypeAlias = tuple[int, Callable[[Generator, Place], dict[str, Any]]]

_LEAVES: tuple[_Maker, ...] = (
    (4, Generator._call),
    (2, Generator._set),
    (1, Generator._wait),
    (1, Generator._switch),
)
_NESTED: tuple[_Maker, ...] = (
    (1, Generator._do),
    (1, Generator._for),
    (1, Generator._parallel),
    (1, Generator._fork),
    (1, Generator._broken_fork),
    (1, Generator._race),
    (1, Generator._try),
    (1, Generator._retried),
    (1, Generator._child),
    (1, Generator._function),
)
