"""Settings: every source, which one wins, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counterpoint.errors import DefinitionError, Problem
from counterpoint.settings import (
    FIELDS,
    LoadedSettings,
    Settings,
    load_settings,
    values_of,
    variable_of,
)


def load(
    folder: Path, text: str | None = None, environ: dict[str, str] | None = None, **options: Any
) -> LoadedSettings:
    if text is not None:
        (folder / "counterpoint.toml").write_text(text)
    return load_settings(options=options, environ=environ or {}, folder=folder)


def problems(folder: Path, text: str | None = None, environ: dict[str, str] | None = None) -> list[Problem]:
    with pytest.raises(DefinitionError) as caught:
        load(folder, text, environ)
    return list(caught.value.problems)


def test_without_any_source_everything_is_the_default(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings == Settings(data=tmp_path / ".counterpoint")
    assert {origin.kind for origin in loaded.origins.values()} == {"default"}
    assert loaded.file is None


def test_a_later_source_wins_and_each_value_knows_its_own(tmp_path: Path) -> None:
    text = 'environment = "filed"\n[engine]\nretention_days = 1\nmax_open_runs = 2\n[http]\ntimeout_s = 5\n'
    environ = {"COUNTERPOINT_ENGINE_MAX_OPEN_RUNS": "3", "COUNTERPOINT_ENVIRONMENT": "varied"}
    loaded = load(tmp_path, text, environ, environment="chosen")
    assert loaded.settings.environment == "chosen"
    assert loaded.settings.engine.retention_days == 1
    assert loaded.settings.engine.max_open_runs == 3
    assert loaded.settings.http.timeout_s == 5.0
    assert [
        loaded.origins[key].kind for key in ("environment", "engine.max_open_runs", "engine.retention_days")
    ] == [
        "option",
        "environment",
        "file",
    ]
    assert loaded.origins["engine.max_open_runs"].name == "COUNTERPOINT_ENGINE_MAX_OPEN_RUNS"
    assert loaded.origins["engine.retention_days"].name == str(tmp_path / "counterpoint.toml")
    assert loaded.origins["log.level"].kind == "default"


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_every_setting_can_be_set_by_its_variable(tmp_path: Path, key: str) -> None:
    samples = {"data": "d", "log.format": "text", "log.level": "debug", "expressions.memory_mb": "100"}
    loaded = load(tmp_path, None, {variable_of(key): samples.get(key, "7")})
    assert loaded.origins[key].kind == "environment"
    default = values_of(Settings(data=tmp_path / ".counterpoint"))[key]
    assert values_of(loaded.settings)[key] != default


def test_paths_are_relative_to_where_they_stand(tmp_path: Path) -> None:
    project, here = tmp_path / "project", tmp_path / "here"
    project.mkdir()
    here.mkdir()
    (project / "my.toml").write_text('data = "store"\n[connectors]\nmodules = ["desk.py", "vendor.crm"]\n')
    loaded = load(here, config=str(project / "my.toml"))
    assert loaded.settings.data == project / "store"
    assert loaded.settings.connectors.modules == (str(project / "desk.py"), "vendor.crm")
    assert load(here, data="x").settings.data == here / "x"
    modules = load(here, None, {"COUNTERPOINT_CONNECTORS_MODULES": "a.py, b"}).settings.connectors.modules
    assert modules == (str(here / "a.py"), "b")


def test_a_named_data_directory_brings_its_own_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "counterpoint.toml").write_text('environment = "of-data"\n')
    assert load(tmp_path, 'environment = "of-folder"\n').settings.environment == "of-folder"
    assert load(tmp_path, data="data").settings.environment == "of-data"
    assert load(tmp_path, None, {"COUNTERPOINT_DATA": "data"}).settings.environment == "of-data"
    named = {"COUNTERPOINT_CONFIG": "counterpoint.toml"}
    assert load(tmp_path, None, named, data="data").settings.environment == "of-folder"


BAD: dict[str, tuple[str, str, int, str]] = {
    "a misspelt key": (
        "[engine]\n\nretention_dys = 3\n",
        "/engine/retention_dys",
        3,
        "engine.retention_days",
    ),
    "a misspelt section": ("[conectors]\nmodules = []\n", "/conectors", 1, "connectors"),
    "a misspelt top key": ('enviroment = "x"\n', "/enviroment", 1, "environment"),
    "text for a number": ('[http]\ntimeout_s = "5"\n', "/http/timeout_s", 2, ""),
    "a number out of range": ("[expressions]\nworkers = 0\n", "/expressions/workers", 2, ""),
    "an unknown choice": ('[log]\nformat = "xml"\n', "/log/format", 2, ""),
    "a value for a section": ("http = 3\n", "/http", 1, ""),
    "a bad name of an environment": ('environment = "Prod Space"\n', "/environment", 1, ""),
    "text that is no TOML": ("[log\n", "", 1, ""),
}


@pytest.mark.parametrize("case", BAD.values(), ids=list(BAD))
def test_a_bad_file_is_refused_with_place_and_hint(tmp_path: Path, case: tuple[str, str, int, str]) -> None:
    text, pointer, line, hint = case
    [problem] = problems(tmp_path, text)
    assert (problem.pointer, problem.line) == (pointer, line)
    assert hint in problem.hint
    assert "counterpoint.toml" in problem.message


def test_all_problems_of_all_sources_come_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "[engine]\nretention_dys = 3\nmax_open_runs = 0\n",
        {"COUNTERPOINT_HTTP_TIMEOUT_S": "soon", "COUNTERPOINT_ENGINE_RETENTION_DAY": "1"},
    )
    assert len(found) == 4
    assert (
        "COUNTERPOINT_ENGINE_RETENTION_DAYS" in found[-1].hint
        or "COUNTERPOINT_ENGINE_RETENTION_DAYS" in found[-2].hint
    )


@pytest.mark.parametrize(
    "name", ["COUNTERPOINT_ENVIROMENT", "COUNTERPOINT_LOG_LEVL", "COUNTERPOINT_HTTP_RETRIES"]
)
def test_a_variable_that_was_meant_as_a_setting_is_refused(tmp_path: Path, name: str) -> None:
    [problem] = problems(tmp_path, None, {name: "1"})
    assert name in problem.message


@pytest.mark.parametrize(
    "name", ["COUNTERPOINT_TOKEN", "COUNTERPOINT_SEED", "COUNTERPOINT_SPEC", "COUNTERPOINTS"]
)
def test_other_variables_are_left_alone(tmp_path: Path, name: str) -> None:
    load(tmp_path, None, {name: "1"})


def test_a_named_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for name in ("absent.toml", "."):
        with pytest.raises(DefinitionError, match="cannot be read"):
            load(tmp_path, config=name)
    (tmp_path / "latin.toml").write_bytes(b'environment = "\xe9"\n')
    with pytest.raises(DefinitionError, match="UTF-8"):
        load(tmp_path, config="latin.toml")
