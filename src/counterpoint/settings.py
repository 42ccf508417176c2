"""Settings of the product: from `counterpoint.toml`, `COUNTERPOINT_*` variables and options.

Each value knows its source. A later source wins: default, file, environment, option. The name of a
variable follows the key: `engine.retention_days` is `COUNTERPOINT_ENGINE_RETENTION_DAYS`; a list has commas.
Unknown keys are refused, since a typo there would silently keep a default.

The file is `--config` or `COUNTERPOINT_CONFIG`; else `counterpoint.toml` in the data directory, if that was
named; else `counterpoint.toml` in the current folder. Paths in the file are relative to the file's folder.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from counterpoint.core.values import JsonValue
from counterpoint.errors import DefinitionError, Problem

FILE_NAME = "counterpoint.toml"
DEFAULT_DATA = ".counterpoint"
PREFIX = "COUNTERPOINT_"
_CLOSE = 0.85
"""How alike a variable's name must be to a known one to count as its misspelling."""

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class LogSection(msgspec.Struct, frozen=True, kw_only=True):
    """How the owner logs.

    Attributes:
        format: `json`, `text`, or `auto`: text for people on a terminal, else JSON.
        level: Least severity that is shown.
    """

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class EngineSection(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the engine.

    Attributes:
        max_open_runs: Runs that may be open at once; a further start is refused.
        max_attempts_in_flight: Attempts that may be under way at once; further ones queue.
        retention_days: Days for which finished runs are kept; 0 keeps them for ever.
    """

    max_open_runs: Positive = 1_000_000
    max_attempts_in_flight: Positive = 1_000
    retention_days: NotNegative = 30


class ConnectorsSection(msgspec.Struct, frozen=True, kw_only=True):
    """Which connectors are loaded.

    Attributes:
        modules: Names of modules, or paths of Python files, that define connectors.
    """

    modules: tuple[str, ...] = ()


class HttpSection(msgspec.Struct, frozen=True, kw_only=True):
    """Outgoing HTTP.

    Attributes:
        allow_private_hosts: Hosts, `host:port` or networks in private ranges that workflows may call.
        timeout_s: Time for a whole request.
        connect_timeout_s: Time for its connection.
        max_response_bytes: Largest answer that is read.
    """

    allow_private_hosts: tuple[str, ...] = ()
    timeout_s: Seconds = 30.0
    connect_timeout_s: Seconds = 10.0
    max_response_bytes: Positive = 2_097_152


class ExpressionsSection(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the worker for expressions outside the native subset.

    Attributes:
        timeout_s: Time for one evaluation.
        memory_mb: Address space of the worker, in MiB.
        max_output_bytes: Largest result.
        workers: Worker processes.
    """

    timeout_s: Seconds = 1.0
    memory_mb: Annotated[int, msgspec.Meta(ge=64, le=65_536)] = 512
    max_output_bytes: Positive = 1_048_576
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings.

    Attributes:
        data: Data directory.
        environment: Environment that commands and runs belong to.
    """

    data: Path = Path(DEFAULT_DATA)
    environment: str = "default"
    log: LogSection = LogSection()
    engine: EngineSection = EngineSection()
    connectors: ConnectorsSection = ConnectorsSection()
    http: HttpSection = HttpSection()
    expressions: ExpressionsSection = ExpressionsSection()


class Origin(msgspec.Struct, frozen=True):
    """Where a value came from.

    Attributes:
        kind: `default`, `file`, `environment` or `option`.
        name: The file, variable or option.
    """

    kind: str
    name: str = ""


class LoadedSettings(msgspec.Struct, frozen=True):
    """Settings with the source of each, by dotted key, and the file that was read."""

    settings: Settings
    origins: dict[str, Origin]
    file: Path | None


SECTIONS: dict[str, type[msgspec.Struct]] = {
    "log": LogSection,
    "engine": EngineSection,
    "connectors": ConnectorsSection,
    "http": HttpSection,
    "expressions": ExpressionsSection,
}
_ENVIRONMENT_NAME = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
_DATA_PATH = Annotated[str, msgspec.Meta(min_length=1)]


def _field_types() -> dict[str, Any]:
    types: dict[str, Any] = {"data": _DATA_PATH, "environment": _ENVIRONMENT_NAME}
    for section, struct in SECTIONS.items():
        for field in msgspec.structs.fields(struct):
            types[f"{section}.{field.name}"] = field.type
    return types


FIELDS: dict[str, Any] = _field_types()
"""Type of every setting by its dotted key."""


def variable_of(key: str) -> str:
    """Name of the environment variable of a setting, such as `COUNTERPOINT_ENGINE_RETENTION_DAYS`."""
    return PREFIX + key.replace(".", "_").upper()


def values_of(settings: Settings) -> dict[str, JsonValue]:
    """Every setting's value by its dotted key, as JSON."""
    values: dict[str, JsonValue] = {"data": str(settings.data), "environment": settings.environment}
    for section in SECTIONS:
        for name, value in msgspec.structs.asdict(getattr(settings, section)).items():
            values[f"{section}.{name}"] = list(value) if isinstance(value, tuple) else value
    return values


def load_settings(
    *, options: Mapping[str, JsonValue], environ: Mapping[str, str], folder: Path
) -> LoadedSettings:
    """Settings from all sources.

    Args:
        options: Values by dotted key that the caller was given explicitly; `config` names the file.
        environ: Environment variables.
        folder: Current folder, in which relative paths of options and variables start.

    Raises:
        DefinitionError: A key is unknown or a value has the wrong form; carries all problems at once.
    """
    draft = _Draft(folder)
    file = _find_file(options, environ, folder)
    if file is not None:
        draft.take_file(file)
    draft.take_environment(environ)
    for key, value in options.items():
        if key != "config" and value is not None:
            draft.take(key, value, Origin("option", f"--{key.replace('_', '-')}"))
    if draft.problems:
        raise DefinitionError(draft.problems)
    return LoadedSettings(draft.build(), draft.origins, file)


def _find_file(options: Mapping[str, JsonValue], environ: Mapping[str, str], folder: Path) -> Path | None:
    named = options.get("config") or environ.get(PREFIX + "CONFIG")
    if named:
        return folder / str(named)
    data = options.get("data") or environ.get(PREFIX + "DATA")
    candidates = [folder / str(data) / FILE_NAME] if data else []
    candidates.append(folder / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


class _Draft:
    """Values gathered so far, the later source over the earlier, and what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Origin] = {}
        self.problems: list[Problem] = []

    def take(self, key: str, value: JsonValue, origin: Origin, line: int = 0) -> None:
        """Check one value and keep it."""
        try:
            # Variables hold text only, so there "30" may be a number; in a file it is a mistake.
            checked = msgspec.convert(value, FIELDS[key], strict=origin.kind != "environment")
        except msgspec.ValidationError as error:
            shown = variable_of(key) if origin.kind == "environment" else key
            message = f"{origin.name}: {shown}: {_plain(str(error))}"
            self.problems.append(Problem(_pointer(key), message, line, code="invalid-value"))
            return
        base = Path(origin.name).parent if origin.kind == "file" else self.folder
        self.values[key] = _absolute(key, checked, base)
        self.origins[key] = origin

    def take_file(self, file: Path) -> None:
        """Read a TOML file."""
        try:
            text = file.read_text(encoding="utf-8")
            tree = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            message = f"{file}: cannot be read: {reason}"
            hint = "Name another file with --config, or make it readable."
            self.problems.append(Problem("", message, hint=hint, code="unreadable"))
            return
        except tomllib.TOMLDecodeError as error:
            place = re.search(r"line (\d+), column (\d+)", str(error))
            line, column = (int(place[1]), int(place[2])) if place else (0, 0)
            self.problems.append(Problem("", f"{file}: not TOML: {error}", line, column, code="syntax"))
            return
        for name, value in tree.items():
            self._take_entry(file, text, name, value)

    def _take_entry(self, file: Path, text: str, name: str, value: JsonValue) -> None:
        origin = Origin("file", str(file))
        if name in SECTIONS:
            if not isinstance(value, dict):
                line, message = _line_of(text, "", name), f"{file}: {name} must be a table"
                self.problems.append(Problem(_pointer(name), message, line, code="invalid-value"))
                return
            for key, entry in value.items():
                line = _line_of(text, name, key)
                if f"{name}.{key}" in FIELDS:
                    self.take(f"{name}.{key}", entry, origin, line)
                else:
                    self._refuse(f"{file}: unknown key {key} in [{name}]", f"{name}.{key}", line)
        elif name in FIELDS:
            self.take(name, value, origin, _line_of(text, "", name))
        else:
            self._refuse(f"{file}: unknown key {name}", name, _line_of(text, "", name))

    def take_environment(self, environ: Mapping[str, str]) -> None:
        """Read the variables that begin with the prefix."""
        known = {variable_of(key): key for key in FIELDS}
        for name in sorted(environ):
            if name in known:
                key = known[name]
                value = _split(environ[name]) if FIELDS[key] == tuple[str, ...] else environ[name]
                self.take(key, value, Origin("environment", name))
            elif name.startswith(PREFIX) and _looks_meant(name, known):
                hint = _nearest(name, known)
                self.problems.append(Problem("", f"unknown variable {name}", hint=hint, code="unknown-key"))

    def _refuse(self, message: str, key: str, line: int) -> None:
        hint = _nearest(key, [*FIELDS, *SECTIONS])
        self.problems.append(Problem(_pointer(key), message, line, hint=hint, code="unknown-key"))

    def build(self) -> Settings:
        """The settings, with defaults where nothing was said."""
        for key in FIELDS:
            self.origins.setdefault(key, Origin("default"))
        self.values.setdefault("data", _absolute("data", DEFAULT_DATA, self.folder))
        sections = {
            section: struct(
                **{
                    field.name: self.values[f"{section}.{field.name}"]
                    for field in msgspec.structs.fields(struct)
                    if f"{section}.{field.name}" in self.values
                }
            )
            for section, struct in SECTIONS.items()
        }
        values: dict[str, Any] = dict(sections)
        values.update((key, self.values[key]) for key in ("data", "environment") if key in self.values)
        return Settings(**values)


def _absolute(key: str, value: Any, base: Path) -> Any:
    if key == "data":
        return base / value
    if key == "connectors.modules":
        return tuple(str(base / entry) if entry.endswith(".py") else entry for entry in value)
    return value


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _looks_meant(name: str, known: Mapping[str, str]) -> bool:
    """Whether a variable was meant as a setting: it begins like a section, or resembles a known name."""
    section = name.removeprefix(PREFIX).split("_")[0].lower()
    return section in SECTIONS or bool(difflib.get_close_matches(name, known, 1, _CLOSE))


def _nearest(name: str, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f"Did you mean {match[0]}?" if match else "`counterpoint config explain` lists all settings."


def _line_of(text: str, section: str, key: str) -> int:
    """Line of a key in a TOML text, since the parser gives none; 0 when it is written unusually."""
    current = ""
    head = re.compile(r"\s*\[\s*([A-Za-z0-9_\-.\"']+)\s*\]")
    entry = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=")
    for number, line in enumerate(text.splitlines(), start=1):
        if found := head.match(line):
            current = found[1].strip("\"'")
            if not section and current == key:
                return number
        elif current == section and entry.match(line):
            return number
    return 0


def _pointer(key: str) -> str:
    return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in key.split(".", 1))


def _plain(message: str) -> str:
    """Words of msgspec without its marks: `Expected `int`, got `str`` → `expected int, got str`."""
    text = message.replace("`", "")
    return text[:1].lower() + text[1:]
