"""Handlers of the task kinds: one file each, one row each."""

from counterpoint.core.dsl.model import (
    CallFunctionTask,
    CallHttpTask,
    DoTask,
    ForkTask,
    ForTask,
    RaiseTask,
    RunWorkflowTask,
    SetTask,
    SwitchTask,
    TryTask,
    WaitTask,
)
from counterpoint.core.interp.flow import HANDLERS
from counterpoint.core.interp.tasks.call_function import run_call_function
from counterpoint.core.interp.tasks.call_http import run_call_http
from counterpoint.core.interp.tasks.do import run_do
from counterpoint.core.interp.tasks.for_ import run_for
from counterpoint.core.interp.tasks.fork import run_fork
from counterpoint.core.interp.tasks.raise_ import run_raise
from counterpoint.core.interp.tasks.run_workflow import run_run_workflow
from counterpoint.core.interp.tasks.set import run_set
from counterpoint.core.interp.tasks.switch import run_switch
from counterpoint.core.interp.tasks.try_ import run_try
from counterpoint.core.interp.tasks.wait import run_wait

HANDLERS.update(
    {
        CallFunctionTask: run_call_function,
        CallHttpTask: run_call_http,
        DoTask: run_do,
        ForkTask: run_fork,
        ForTask: run_for,
        RaiseTask: run_raise,
        RunWorkflowTask: run_run_workflow,
        SetTask: run_set,
        SwitchTask: run_switch,
        TryTask: run_try,
        WaitTask: run_wait,
    }
)
