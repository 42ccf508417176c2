"""Functions of jq 1.8 by arity, the ones that reach outside the value, and the formats."""

from __future__ import annotations

_BY_ARITY: dict[tuple[int, ...], str] = {
    (0,): """
        abs acos acosh arrays ascii_downcase ascii_upcase asin asinh atan atanh booleans builtins cbrt ceil
        cos cosh empty erf erfc exp exp10 exp2 explode expm1 fabs finites floor frexp from_entries fromdate
        fromdateiso8601 fromjson gamma gmtime have_decnum have_literal_numbers implode infinite isfinite
        isinfinite isnan isnormal iterables j0 j1 keys keys_unsorted length lgamma lgamma_r log log10 log1p
        log2 logb ltrim max min mktime modf nan nearbyint normals not nulls numbers objects reverse rint
        round rtrim scalars significand sin sinh sort sqrt strings tan tanh tgamma to_entries toboolean
        todate todateiso8601 tojson tonumber tostream tostring transpose trim trunc type unique
        utf8bytelength values y0 y1""",
    (0, 1): "add combinations error first flatten last paths",
    (0, 1, 2): "all any recurse",
    (1,): """
        bsearch contains del delpaths endswith format fromstream getpath group_by has in index indices
        inside isempty join ltrimstr map map_values max_by min_by path pick repeat rindex rtrimstr select
        sort_by startswith strftime strptime trimstr truncate_stream unique_by walk with_entries""",
    (1, 2): "IN INDEX capture match nth scan split splits test",
    (1, 2, 3): "range",
    (2,): """
        atan2 copysign drem fdim fmax fmin fmod hypot jn ldexp limit nextafter nexttoward pow remainder
        scalb scalbln setpath skip until while yn""",
    (2, 3): "gsub sub",
    (2, 3, 4): "JOIN",
    (3,): "fma",
}

FUNCTIONS: dict[str, tuple[int, ...]] = {
    name: arities for arities, names in _BY_ARITY.items() for name in names.split()
}
"""Numbers of arguments that each function takes."""

FORBIDDEN: dict[str, str] = {
    "env": "it reads the environment of the server",
    "input": "it reads from outside the value",
    "inputs": "it reads from outside the value",
    "input_filename": "it reads from outside the value",
    "input_line_number": "it reads from outside the value",
    "halt": "it ends the process",
    "halt_error": "it ends the process",
    "debug": "it writes to the server's log",
    "stderr": "it writes to the server's log",
    "now": "it differs on every replay; use $runtime, $task.startedAt or $workflow.startedAt",
    "localtime": "it depends on the server's time zone; use gmtime",
    "strflocaltime": "it depends on the server's time zone; use strftime",
    "get_search_list": "it reads the file system",
    "get_jq_origin": "it reads the file system",
    "get_prog_origin": "it reads the file system",
    "modulemeta": "it reads the file system",
    "getenv": "it reads the environment of the server",
    "input_text": "it reads from outside the value",
    "rand": "it differs on every replay",
    "random": "it differs on every replay",
}
"""Functions that reach outside the value or differ from one evaluation to the next, and why."""

FORBIDDEN_VARIABLES: dict[str, str] = {
    "ENV": "it reads the environment of the server",
    "__prog_args": "it reads from outside the value",
    "__prog_name": "it reads from outside the value",
}
"""Variables that are refused wherever they stand."""

FORMATS = frozenset("text json csv tsv html uri urid sh base64 base64d base32 base32d".split())
"""Formats that libjq knows, without `@`."""
