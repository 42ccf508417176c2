"""Virtual time on a real loop: it rests when nothing is under way, and rings when it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from counterpoint.testing.virtual_loop import Bustle, VirtualClock, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_settling_waits_for_what_is_under_way_in_a_thread(loop: VirtualLoop) -> None:
    bustle = Bustle(loop)
    done: list[int] = []

    async def work() -> None:
        with bustle.during():
            await asyncio.to_thread(sum, range(100_000))
            done.append(1)

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await bustle.settle()
        assert done == [1]
        await task

    loop.run_until_complete(main())


def test_settling_waits_for_callbacks_that_follow_one_another(loop: VirtualLoop) -> None:
    bustle = Bustle(loop)
    left = [1_000]

    def again() -> None:
        left[0] -= 1
        if left[0]:
            loop.call_soon(again)

    async def main() -> None:
        loop.call_soon(again)
        await bustle.settle()
        assert left == [0]

    loop.run_until_complete(main())


def test_settling_does_not_wait_for_what_never_ends(loop: VirtualLoop) -> None:
    bustle = Bustle(loop, lambda: 1)

    async def main() -> None:
        bustle.enter()
        await bustle.settle()

    loop.run_until_complete(main())


def test_an_alarm_of_seconds_rings_at_once_when_told(loop: VirtualLoop) -> None:
    rung = asyncio.Event()

    async def main() -> None:
        loop.call_later(5.0, rung.set)
        await asyncio.sleep(0)
        assert not rung.is_set()
        loop.ring()
        await rung.wait()

    loop.run_until_complete(main())


def test_the_clock_stands_until_it_is_moved() -> None:
    clock = VirtualClock(5)
    assert (clock.now(), clock.now()) == (5, 5)
    clock.instant = 9
    assert clock.now() == 9
    assert clock.monotonic_s() <= clock.monotonic_s()
