"""Evaluates jq programs in a supervised process, so that a hostile one ends there and nowhere else.

The process has no environment, no files and a cap on memory; the wall clock is watched from here, and a
program that passes it is killed together with its process. Only the asking program fails: requests wait
here, not in the process, and the next one gets a new process.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
from functools import lru_cache

import msgspec

from counterpoint.core.expr import ExpressionInvalid, compile_expression
from counterpoint.core.expr.parser import parse
from counterpoint.core.expr.program import ExpressionFailed, Program, Variables
from counterpoint.core.expr.syntax import Binary, Literal, Update, children
from counterpoint.core.values import MAX_DEPTH, JsonValue, encode_json, excess_of, is_too_deep
from counterpoint.errors import EngineError
from counterpoint.runners.exactness import (
    MAX_EXACT,
    check_numbers,
    has_large_numbers,
    large_integers,
    replaced,
    shifts,
)
from counterpoint.runners.supervision import JqChild, Limits, WorkerGone

MAX_PROCESSES = 2
"""Most processes at one time; expressions must not take the machine from the engine."""

_VALUES_IN_MESSAGES = re.compile(r"\b(null|boolean|number|string|array|object) \((?:[^()]|\([^()]*\))*\)")
_NAN = "the result holds a value that is not a number"
_WHY: dict[int, str] = {
    signal.SIGXCPU: "the expression took too much time",
    signal.SIGABRT: "the expression needs too much memory",
    signal.SIGSEGV: "the expression needs too much stack",
    signal.SIGKILL: "the process of the expression was killed",
}


class JqWorker:
    """Expression worker on libjq (`ports.expressions.ExpressionWorker`).

    Args:
        limits: What one program may use.
        processes: Programs that run at the same time, 1 or 2.
    """

    def __init__(self, limits: Limits | None = None, processes: int = 1) -> None:
        self._limits = limits or Limits()
        self._turns = asyncio.Semaphore(max(1, min(processes, MAX_PROCESSES)))
        self._idle: list[JqChild] = []
        self._busy: set[JqChild] = set()
        self._is_closed = False

    async def evaluate(self, text: str, value: JsonValue, variables: Variables) -> JsonValue:
        """The single result of a jq program."""
        try:
            program = compile_expression(text)
        except ExpressionInvalid as error:
            raise ExpressionFailed(str(error)) from error
        bound = _bound(program, variables)
        payload = self._payload({"i": value, "v": bound})
        numbers: set[int] = set()
        if has_large_numbers(payload):
            numbers = large_integers([value, bound])
        if numbers or large_literals(program.text):
            _refuse_arithmetic(program.text)
        result = await self._result(program, payload, numbers)
        if numbers:
            await self._check_exact(program, [value, bound], numbers, result)
        return result

    async def close(self) -> None:
        """End the processes; programs that still run fail."""
        self._is_closed = True
        for child in [*self._idle, *self._busy]:
            await child.end()
        self._idle.clear()

    async def _check_exact(
        self, program: Program, value: list[JsonValue], numbers: set[int], result: JsonValue
    ) -> None:
        """Run again with the large numbers shifted; the result must shift in the same way."""
        moved = shifts(numbers)
        changed = replaced(value, moved.__getitem__)
        payload = self._payload({"i": changed[0], "v": changed[1]})
        again = await self._result(program, payload, set(moved.values()))
        if again != replaced(result, moved.__getitem__):
            raise ExpressionFailed("arithmetic with whole numbers beyond 2^53 would not be exact")

    def _payload(self, value: JsonValue) -> bytes:
        excess = excess_of(value, self._limits.max_input, MAX_DEPTH + 2)
        if excess:
            raise ExpressionFailed(f"the input {excess}")
        try:
            payload = encode_json(value)
        except (TypeError, ValueError, OverflowError, RecursionError, msgspec.EncodeError) as error:
            raise ExpressionFailed("the input is no JSON value") from error
        if len(payload) > self._limits.max_input:
            raise ExpressionFailed(f"the input is larger than {self._limits.max_input} bytes")
        return payload

    async def _result(self, program: Program, payload: bytes, numbers: set[int]) -> JsonValue:
        kind, body = await self._answer(wrapped(program), payload)
        if kind == b"E":
            raise ExpressionFailed(_message(body))
        _check_depth(body, MAX_DEPTH + 1, "result")
        results = json.loads(body)
        if len(results) > 1:
            raise ExpressionFailed("the expression gives several results where one is expected")
        if has_large_numbers(body):
            check_numbers(results, numbers)
        return results[0] if results else None

    async def _answer(self, program: str, payload: bytes) -> tuple[bytes, bytes]:
        """Reply of a process; one that somebody else killed is replaced once."""
        async with self._turns:
            for is_last in (False, True):
                try:
                    return await self._ask(program, payload)
                except WorkerGone as gone:
                    if is_last or gone.signal != signal.SIGKILL:
                        why = _WHY.get(gone.signal, "the process of the expression ended")
                        raise ExpressionFailed(why) from gone
        raise AssertionError

    async def _ask(self, program: str, payload: bytes) -> tuple[bytes, bytes]:
        if self._is_closed:
            raise EngineError("the expression worker is closed")
        child = self._idle.pop() if self._idle else await JqChild.start(self._limits)
        self._busy.add(child)
        is_sound = False
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                kind, body = await child.ask(program, payload)
            is_sound = kind.isupper() and not self._is_closed
            return kind.upper(), body
        except TimeoutError:
            raise ExpressionFailed(f"the expression took longer than {self._limits.timeout_s} s") from None
        finally:
            # A process that did not answer, or whose asker was cancelled, is out of step: never used again.
            self._busy.discard(child)
            if is_sound:
                self._idle.append(child)
            else:
                await child.end()


def wrapped(program: Program) -> str:
    """Text for libjq: binds the variables, gathers up to two results, refuses NaN."""
    binds = "".join(f"$__w.v.{name} as ${name} | " for name in sorted(program.variables))
    gathered = f"[limit(2; {program.text}\n)]"
    # NaN is written as null, so that the walk through the result is needed only where a null stands.
    is_nan = '(contains("null") and ($__r | any(..; type == "number" and isnan)))'
    # The text stays in the first line, for $__loc__; the line break ends a comment of its own.
    return (
        f". as $__w | {binds}$__w.i | {gathered} as $__r | $__r | tojson"
        f' | if {is_nan} then error("{_NAN}") else . end'
    )


def _bound(program: Program, variables: Variables) -> dict[str, JsonValue]:
    missing = sorted(program.variables - set(variables))
    if missing:
        raise ExpressionFailed(f"${missing[0]} has no value here")
    return {name: variables[name] for name in program.variables}


def _check_depth(text: bytes, limit: int, what: str) -> None:
    try:
        is_deep = is_too_deep(text, limit)
    except (RecursionError, msgspec.DecodeError):
        is_deep = True
    if is_deep:
        raise ExpressionFailed(f"the {what} is nested deeper than {MAX_DEPTH} levels")


def _message(body: bytes) -> str:
    """Message of libjq without the values that it quotes."""
    text = body.decode("utf-8", "replace").split("\n", 1)[0]
    return _VALUES_IN_MESSAGES.sub(r"\1", text)[:200]


@lru_cache(maxsize=256)
def large_literals(text: str) -> bool:
    """Whether a program writes out a whole number beyond 2^53."""
    stack = [parse(text)]
    while stack:
        node = stack.pop()
        if isinstance(node, Literal) and type(node.value) is int and abs(node.value) > MAX_EXACT:
            return True
        stack.extend(children(node))
    return False


@lru_cache(maxsize=256)
def has_remainder(text: str) -> bool:
    """Whether a program uses `%`, which hides rounding: large doubles are all even."""
    stack = [parse(text)]
    while stack:
        node = stack.pop()
        if isinstance(node, Binary | Update) and node.operator.startswith("%"):
            return True
        stack.extend(children(node))
    return False


def _refuse_arithmetic(text: str) -> None:
    if large_literals(text) or has_remainder(text):
        raise ExpressionFailed("arithmetic with whole numbers beyond 2^53 would not be exact")
