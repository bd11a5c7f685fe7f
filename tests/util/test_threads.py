"""Work beside the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ponder.util.threads import in_thread


def test_what_it_returns_and_raises() -> None:
    assert asyncio.run(in_thread(divmod, 7, 2)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(divmod, 7, 0))


@pytest.mark.parametrize("late", [False, True])
def test_nobody_waits_for_work_that_is_not_wanted_any_more(late: bool) -> None:
    release, threads, complaints = threading.Event(), list[threading.Thread](), list[object]()

    async def main() -> None:
        loop, began = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(lambda _, told: complaints.append(told))

        def work() -> None:
            threads.append(threading.current_thread())
            loop.call_soon_threadsafe(began.set)
            release.wait(60)
            raise ValueError

        asked = asyncio.ensure_future(in_thread(work))
        await began.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        if not late:  # it ends while the loop still runs, and has nobody to tell
            release.set()
            await asyncio.to_thread(threads[0].join)

    asyncio.run(main())
    assert threads[0].is_alive() == late
    release.set()  # and now there is no loop to tell
    threads[0].join()
    assert complaints == []
