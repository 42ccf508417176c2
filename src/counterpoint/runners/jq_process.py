"""Main program of the worker: libjq in a process that has nothing else.

It is started by path, isolated and without site packages, and imports nothing of the package. Requests and
replies are length-prefixed; a request is one program and one value, a reply is one JSON text or one
message. Whatever a program does to this process (an endless loop, exhausted memory, an abort in libjq) only
ends this process.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
import time
from collections import OrderedDict
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, BinaryIO

REQUEST = struct.Struct(">II")
"""Lengths of the program and of the value."""

REPLY = struct.Struct(">cI")
"""Kind (`R` result, `E` error of the program; lower case asks for a new process) and length."""

READY = b"+"
"""Sent once, when requests can come."""

MAX_PROGRAMS = 256
"""Compiled programs that are kept."""


def load_jq(path: str) -> Any:
    """The extension module at a path; no other package becomes importable."""
    spec = spec_from_file_location("jq", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def limit_process(memory_bytes: int) -> None:
    """Give up files, processes and core dumps, and cap the address space; nothing can take it back."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


class Runner:
    """Runs programs one after the other.

    Args:
        jq: The extension module.
        max_output: Longest result, in bytes.
        cpu_s: Processor time that one program may take, in seconds.
        memory_bytes: Limit of the address space; a process that came half-way is replaced.
    """

    def __init__(self, jq: Any, max_output: int, cpu_s: int, memory_bytes: int) -> None:
        self._jq = jq
        self._max_output = max_output
        self._cpu_s = cpu_s
        # The peak that the kernel reports begins with that of the parent: a large one would make every worker
        # look worn from its first answer on.
        inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._worn_kb = max(memory_bytes // 2 // 1024, inherited + inherited // 4)
        self._programs: OrderedDict[str, Any] = OrderedDict()

    def run(self, program: str, value: str) -> tuple[bytes, bytes]:
        """Kind and body of the reply."""
        # The wall clock is the caller's; this limit ends the process should the caller be gone or stuck.
        limit = int(time.process_time()) + self._cpu_s + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
        try:
            result = self._compiled(program).input_text(value).first()
            body = result.encode("utf-8", "surrogatepass")
        except (ValueError, StopIteration, MemoryError, RecursionError) as error:
            return self._kind(b"E"), str(error).encode("utf-8", "replace")[:2_000]
        if len(body) > self._max_output:
            return self._kind(b"E"), b"the result is too large"
        return self._kind(b"R"), body

    def _compiled(self, text: str) -> Any:
        program = self._programs.get(text)
        if program is None:
            program = self._jq.compile(text)
            self._programs[text] = program
            if len(self._programs) > MAX_PROGRAMS:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(text)
        return program

    def _kind(self, kind: bytes) -> bytes:
        is_worn = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > self._worn_kb
        return kind.lower() if is_worn else kind


def serve(runner: Runner, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until the other side is gone."""
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        program_size, value_size = REQUEST.unpack(header)
        program, value = requests.read(program_size), requests.read(value_size)
        kind, body = runner.run(program.decode(), value.decode())
        replies.write(REPLY.pack(kind, len(body)) + body)
        replies.flush()


def main() -> None:
    """Run with the path of the jq module and the limits of memory, output and processor time."""
    path, memory_bytes, max_output, cpu_s = sys.argv[1], *map(int, sys.argv[2:5])
    # Date functions of libjq follow the zone of the process; every machine must give the same result.
    os.environ["TZ"] = "UTC"
    time.tzset()
    jq = load_jq(path)
    limit_process(memory_bytes)
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    serve(Runner(jq, max_output, cpu_s, memory_bytes), sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
