"""Text to a JSON value with the place of every part: YAML 1.2 core schema, of which JSON is a part.

PyYAML's own constructors follow YAML 1.1, where the key `on` is `true` and `2026-01-01` a date, so only its
parser is used: it gives events, and this module makes values of them with an explicit stack. That also bounds
hostile text: nothing recurses, aliases do not exist, and depth, nodes and size are limited while reading.
"""

from __future__ import annotations

import re

import msgspec
import yaml

from counterpoint.core.dsl.pointers import Path, pointer_of
from counterpoint.core.values import JsonValue
from counterpoint.errors import DefinitionError, Problem

MAX_TEXT_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_NODES = 100_000
MAX_KEY_CHARACTERS = 256
MAX_FLAWS = 200
MAX_INTEGER = 2**63 - 1

Position = tuple[int, int]
"""Line and column, from 1."""


class Place(msgspec.Struct):
    """Where a value stands in the text; a tree beside the value.

    Attributes:
        value: Position of the value.
        key: Position of its key; None for items of a list and the whole.
        parts: Places of the members, by key or index.
    """

    value: Position
    key: Position | None = None
    parts: dict[str | int, Place] = {}

    def find(self, path: Path) -> tuple[Place, bool]:
        """Place of a path, or of its nearest parent that exists; the flag says whether all of it does."""
        place = self
        for step in path:
            below = place.parts.get(step)
            if below is None:
                return place, False
            place = below
        return place, True


class Flaw(msgspec.Struct, frozen=True):
    """Something that a document may not hold, but that reading can go on after.

    Attributes:
        path: Keys and indices from the root.
        position: Where it stands.
        code: Name of the rule.
        message: What is wrong.
        hint: What to do.
    """

    path: Path
    position: Position
    code: str
    message: str
    hint: str = ""


class Source(msgspec.Struct, frozen=True):
    """A document as read: its value, the places of its parts, and what it should not hold."""

    value: JsonValue
    places: Place
    flaws: tuple[Flaw, ...] = ()


_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONSTANTS: dict[str, JsonValue] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_PLAIN_STARTS = frozenset("abcdeghijklmopqrsuvwxyzABCDEGHIJKLMOPQRSUVWXYZ_$")
_SCALAR_TAGS = ("str", "int", "float", "bool", "null")
_CORE = "tag:yaml.org,2002:"
_SURROGATES = re.compile(r"\\u[dD]([89abAB][0-9a-fA-F]{2})\\u[dD]([c-fC-F][0-9a-fA-F]{2})")


def read(text: str | bytes) -> Source:
    """A value and its places, without flaws.

    Raises:
        DefinitionError: Not YAML 1.2 or JSON, beyond a limit, or with a flaw; carries all flaws.
    """
    source = scan(text)
    if source.flaws:
        raise DefinitionError([_problem(flaw) for flaw in source.flaws])
    return source


def _problem(flaw: Flaw) -> Problem:
    return Problem(pointer_of(flaw.path), flaw.message, *flaw.position, flaw.hint, flaw.code)


def scan(text: str | bytes) -> Source:
    """A document's value and places, and the flaws that reading can go on after.

    Raises:
        DefinitionError: Not YAML 1.2 or JSON, or beyond a limit; the first such place only, since nothing
            after it can be trusted. What can be read past is in `flaws`.
    """
    decoded = _decode(text)
    reader = _Reader()
    try:
        parser = yaml.CLoader(_join_surrogates(decoded))
        event = parser.get_event()
        while event is not None and not isinstance(event, yaml.StreamEndEvent):
            reader.take(event)
            event = parser.get_event()
    except yaml.YAMLError as error:
        raise _syntax(error) from None
    if reader.root is None:
        raise _refused("yaml", (1, 1), "The document is empty.", "Start with `document:`.")
    return Source(reader.result, reader.root, tuple(reader.flaws))


def _decode(text: str | bytes) -> str:
    size = len(text) if isinstance(text, bytes) else len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise _refused(
            "too-large", (1, 1), f"The document has {size} bytes; at most {MAX_TEXT_BYTES} are read."
        )
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text.removeprefix("\ufeff")
        decoded.encode()
    except UnicodeError:
        raise _refused("yaml", (1, 1), "The document is not UTF-8 text.") from None
    return decoded


def _join_surrogates(text: str) -> str:
    # JSON writes characters beyond 16 bits as two escapes, which YAML refuses.
    if "\\u" not in text or not text.lstrip().startswith(("{", "[", '"')):
        return text
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return _SURROGATES.sub(_joined, text)


def _joined(match: re.Match[str]) -> str:
    text, start = match.string, match.start()
    while start > 0 and text[start - 1] == "\\":
        start -= 1
    if (match.start() - start) % 2:
        return match.group()
    high, low = int("d" + match.group(1), 16), int("d" + match.group(2), 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"


def _refused(code: str, position: Position, message: str, hint: str = "") -> DefinitionError:
    return DefinitionError([Problem("", message, position[0], position[1], hint, code)])


def _syntax(error: yaml.YAMLError) -> DefinitionError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
    if "nesting depth" in reason:
        return _refused("too-deep", position, f"The document nests deeper than {MAX_DEPTH} levels.")
    if "undefined alias" in reason:
        return _refused("alias", position, _NO_ALIAS, _NO_ALIAS_HINT)
    hint = "Text that holds `: `, ` #`, or starts with a sign such as `{`, `[`, `*`, `%` needs quotes."
    return _refused("yaml", position, f"Not YAML: {reason}.", hint)


_NO_ALIAS = "Anchors and aliases are not read."
_NO_ALIAS_HINT = "Repeat the part, or use a reusable component under `use`."


class _Frame:
    """A list or map that is being read."""

    __slots__ = ("key", "key_position", "last", "place", "value")

    def __init__(self, value: JsonValue, place: Place) -> None:
        self.last: str | int = 0
        self.value = value
        self.place = place
        self.key: str | None = None
        self.key_position: Position | None = None


class _Reader:
    """Makes values and places of parser events."""

    def __init__(self) -> None:
        self.result: JsonValue = None
        self.root: Place | None = None
        self._frames: list[_Frame] = []
        self._nodes = 0
        self._documents = 0
        self.flaws: list[Flaw] = []

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._open(event, {}, "map")
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open(event, [], "seq")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._frames.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise _refused("alias", _position(event), _NO_ALIAS, _NO_ALIAS_HINT)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                message = "The text holds several documents."
                raise _refused("several-documents", _position(event), message, "Keep one workflow per file.")

    def _open(self, event: yaml.CollectionStartEvent, value: JsonValue, tag: str) -> None:
        _check_node(event, (tag,))
        frame = self._frames[-1] if self._frames else None
        if isinstance(frame and frame.value, dict) and frame is not None and frame.key is None:
            raise _refused("key-not-text", _position(event), "A key must be text, not a list or map.")
        place = self._add(value, _position(event))
        self._frames.append(_Frame(value, place))
        if len(self._frames) > MAX_DEPTH:
            message = f"The document nests deeper than {MAX_DEPTH} levels."
            raise _refused("too-deep", _position(event), message, "Move inner tasks into `use.functions`.")

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            _check_node(event, _SCALAR_TAGS)
        frame = self._frames[-1] if self._frames else None
        if frame is not None and isinstance(frame.value, dict) and frame.key is None:
            self._take_key(frame, event)
            return
        value: JsonValue = None
        try:
            value = _resolve(event)
        except _Unreadable as flaw:
            self._note(self._next_step(), _position(event), *flaw.args)
        self._add(value, _position(event))

    def _take_key(self, frame: _Frame, event: yaml.ScalarEvent) -> None:
        position = _position(event)
        key: str = event.value
        if len(key) > MAX_KEY_CHARACTERS:
            message = f"A key has {len(key)} characters; at most {MAX_KEY_CHARACTERS} are read."
            raise _refused("too-large", position, message)
        if not _is_text(event):
            hint = f"Write it in quotes: '{key[:40]}'." if key else "Name the key."
            self._note(key, position, "key-not-text", f"The key `{key[:40]}` is not text.", hint)
        if key in frame.value:
            first = frame.place.parts[key].key or (0, 0)
            message = f"The key `{key[:40]}` appears twice in one map; the first is in line {first[0]}."
            self._note(key, position, "duplicate-key", message, "Rename or remove one of them.")
        frame.key, frame.key_position = key, position

    def _next_step(self) -> str | int:
        if not self._frames:
            return ""
        frame = self._frames[-1]
        return len(frame.value) if frame.key is None else frame.key

    def _note(self, step: str | int, position: Position, code: str, message: str, hint: str = "") -> None:
        if len(self.flaws) < MAX_FLAWS:
            above = tuple(frame.last for frame in self._frames[:-1])
            path = (*above, step) if self._frames else ()
            self.flaws.append(Flaw(path, position, code, message, hint))

    def _add(self, value: JsonValue, position: Position) -> Place:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _refused("too-many-nodes", position, f"The document has more than {MAX_NODES} values.")
        if not self._frames:
            self.result, self.root = value, Place(position)
            return self.root
        frame = self._frames[-1]
        if isinstance(frame.value, list):
            place = Place(position)
            frame.last = len(frame.value)
            frame.place.parts[frame.last] = place
            frame.value.append(value)
        else:
            assert frame.key is not None
            place = Place(position, frame.key_position)
            frame.last = frame.key
            frame.place.parts[frame.key] = place
            frame.value[frame.key] = value
            frame.key = None
        return place


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    assert mark is not None
    return mark.line + 1, mark.column + 1


def _check_node(event: yaml.NodeEvent, tags: tuple[str, ...]) -> None:
    if event.anchor is not None:
        raise _refused("alias", _position(event), _NO_ALIAS, _NO_ALIAS_HINT)
    tag: str | None = getattr(event, "tag", None)
    if tag is None or tag == "!":
        return
    if not tag.startswith(_CORE) or tag.removeprefix(_CORE) not in tags:
        name = tag.replace(_CORE, "!!")
        raise _refused("tag", _position(event), f"The tag `{name[:60]}` is not read.", "Remove it.")


class _Unreadable(Exception):
    """A scalar that is no JSON value: code, message, hint."""


def _is_text(event: yaml.ScalarEvent) -> bool:
    # Almost all keys are plain words: a letter that begins none of the constants settles it.
    if event.tag is None and event.value[:1] in _PLAIN_STARTS:
        return True
    try:
        return isinstance(_resolve(event), str)
    except _Unreadable:
        return False


def _resolve(event: yaml.ScalarEvent) -> JsonValue:
    text: str = event.value
    is_plain = event.style is None or event.style == ""
    if event.tag and event.tag != "!" and event.tag != _CORE + "str":
        return _resolve_tagged(event.tag, text)
    if not is_plain or event.tag:
        return text
    return _resolve_plain(text)


_TAGGED: dict[str, type] = {"int": int, "bool": bool, "null": type(None)}


def _resolve_tagged(tag: str, text: str) -> JsonValue:
    name = tag.removeprefix(_CORE)
    if name == "float" and _FLOAT.fullmatch(text):
        return _float(text)
    value = _resolve_plain(text)
    # The exact type: a bool is an int too.
    if type(value) is not _TAGGED.get(name):
        raise _Unreadable("tag", f"`{text[:40]}` is no !!{name}.", "Remove the tag.")
    return value


def _resolve_plain(text: str) -> JsonValue:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text, 10)
    if _OCTAL.fullmatch(text):
        return _integer(text[2:], 8)
    if _HEX.fullmatch(text):
        return _integer(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if _NOT_FINITE.fullmatch(text):
        message = f"`{text}` is no JSON number."
        raise _Unreadable("number-range", message, "Write it in quotes if it is text.")
    return text


def _integer(digits: str, base: int) -> int:
    # The length first: making an integer of a million digits takes quadratic time.
    if len(digits) <= 80:
        value = int(digits, base)
        if -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
            return value
    message = f"The whole number `{digits[:24]}...` does not fit 64 bits."
    raise _Unreadable("number-range", message, "Write it in quotes to keep it exact.")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _Unreadable("number-range", f"The number `{text[:24]}` is too large.")
    return value
