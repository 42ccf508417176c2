"""Arguments of a call, bound to the parameters of an action.

The annotations are compiled once, at registration; a call then costs one look-up and one type test for each
argument that arrives in the right type already.
"""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from counterpoint.core.values import JsonValue
from counterpoint.errors import FaultRaised, standard_fault
from counterpoint.sdk.results import copy_argument

_UNCHANGED: dict[Any, frozenset[type]] = {
    str: frozenset({str}),
    int: frozenset({int}),
    float: frozenset({float}),
    bool: frozenset({bool}),
    Any: frozenset({str, int, float, bool, type(None)}),
}
"""Types of values that pass unchanged, by annotation; scalars only, because containers are copied."""


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Parameter(msgspec.Struct, frozen=True):
    """One argument that an action takes.

    Attributes:
        name: Name in `with`.
        type: Annotation; `typing.Any` for any JSON value.
        is_required: Whether it has no default.
    """

    name: str
    type: Any
    is_required: bool


class Binder:
    """Turns the `with` of a call into the keyword arguments of one function.

    Args:
        owner: Name for messages, such as `crm.enrich_account`.
        parameters: Parameters of the function.
        ignores_unknown: Whether arguments without a parameter are left out instead of refused.
    """

    __slots__ = ("_ignores_unknown", "_owner", "_plan", "_required", "parameters")

    def __init__(
        self, owner: str, parameters: tuple[Parameter, ...], *, ignores_unknown: bool = False
    ) -> None:
        self.parameters = parameters
        self._owner = owner
        self._ignores_unknown = ignores_unknown
        self._plan = {p.name: (_UNCHANGED.get(p.type, frozenset()), _converter(p.type)) for p in parameters}
        self._required = frozenset(p.name for p in parameters if p.is_required)

    def bind(self, arguments: JsonValue) -> dict[str, Any]:
        """The keyword arguments, converted to the annotated types.

        Raises:
            FaultRaised: validation/400 that names all missing, unknown and ill-typed arguments at once.
        """
        if self._ignores_unknown and isinstance(arguments, Mapping):
            arguments = {name: arguments[name] for name in self._plan if name in arguments}
        plan = self._plan
        bound: dict[str, Any] = {}
        try:
            for name, value in arguments.items():
                unchanged, convert = plan[name]
                bound[name] = value if type(value) in unchanged else convert(value)
            if bound.keys() >= self._required:
                return bound
        except (KeyError, ValueError, AttributeError):
            pass  # The slow path below looks at all arguments again, to report every problem.
        if arguments is None:
            return self.bind({})
        problems = "; ".join(self._problems(arguments))
        raise FaultRaised(standard_fault("validation", f"{self._owner} cannot be called: {problems}"))

    def _problems(self, arguments: JsonValue) -> Iterator[str]:
        if not isinstance(arguments, Mapping):
            yield f"its arguments are a {type(arguments).__name__}, give an object"
            return
        for missing in (p.name for p in self.parameters if p.is_required and p.name not in arguments):
            yield f"argument {missing!r} is missing"
        for name, value in arguments.items():
            if name not in self._plan:
                near = difflib.get_close_matches(str(name), self._plan, 1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                yield f"argument {name!r} is unknown{hint}"
                continue
            unchanged, convert = self._plan[name]
            try:
                if type(value) not in unchanged:
                    convert(value)
            except ValueError as error:
                yield f"argument {name!r}: {error}"


def _converter(kind: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        # Copied first: members annotated as any JSON would otherwise be the run's own objects.
        return msgspec.convert(copy_argument(value), kind)

    return copy_argument if kind is Any else convert


def compile_parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Parameters of an action after its first, the context.

    Raises:
        TypeError: The signature cannot be served; the message says what to write instead.
    """
    listed = list(inspect.signature(function).parameters.values())
    if not listed or listed[0].kind not in _POSITIONAL:
        raise TypeError("its first parameter is the context: write `async def f(ctx: ActionContext, ...)`")
    hints = _hints(function)
    return tuple(_parameter(p, hints.get(p.name, Any)) for p in listed[1:])


def _parameter(declared: inspect.Parameter, kind: Any) -> Parameter:
    name = declared.name
    if declared.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        raise TypeError(f"parameter {name!r} has no name in a call: write each one, without `*` and `/`")
    kind = Any if kind is object else kind
    if unsupported := _unsupported(kind):
        raise TypeError(f"parameter {name!r}: JSON cannot give {unsupported}; use a dataclass or a Struct")
    return Parameter(name, kind, declared.default is inspect.Parameter.empty)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation cannot be resolved ({error}): define the type at module level, above the action"
        ) from error


def _unsupported(kind: Any) -> str:
    """Name of a type that JSON cannot give, anywhere inside an annotation; empty when there is none."""
    try:
        root = msgspec.inspect.type_info(kind)
    except (TypeError, NameError) as error:
        return f"`{kind}` ({error})"
    pending: list[Any] = [root]
    seen: set[int] = set()
    while pending:
        info = pending.pop()
        if id(info) in seen:
            continue
        seen.add(id(info))
        if isinstance(info, msgspec.inspect.CustomType) and info.cls is not object:
            return f"`{info.cls.__name__}`"
        if isinstance(info, msgspec.inspect.Type | msgspec.inspect.Field):
            pending.extend(getattr(info, name) for name in info.__struct_fields__)
        elif isinstance(info, tuple):
            pending.extend(info)
    return ""
