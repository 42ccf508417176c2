"""The interpreter: walks a compiled document and asks a `DurableContext` for everything that is not pure."""

from counterpoint.core.interp import tasks as _tasks  # fills the table of handlers
from counterpoint.core.interp.dataflow import to_duration
from counterpoint.core.interp.retrying import backoff_micros, jitter_micros
from counterpoint.core.interp.workflow import run_workflow

__all__ = ["backoff_micros", "jitter_micros", "run_workflow", "to_duration"]

del _tasks
