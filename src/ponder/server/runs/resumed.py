"""A recorded run that goes on, without anybody who waits for its reply."""

from __future__ import annotations

from ponder.api import resuming
from ponder.runtime.records import RunRow
from ponder.runtime.result import Result
from ponder.server.asking.asked import Asked, Planned
from ponder.server.errors import ApiError
from ponder.server.keys import Key
from ponder.server.operation.gate import Ticket
from ponder.server.runs import shown
from ponder.server.telling.conducted import Conducted, House


async def resume(house: House, key: Key, row: RunRow) -> None:
    """Begin to go on with a run. Recorded calls are not paid for again.

    Raises:
        ApiError, PonderError: it is done, is in progress, or cannot be resumed here.
    """
    if row.state == "done" or house.live.going(row.id) is not None:
        raise ApiError(
            f"run {row.id} is {shown.state(row)}: only one that was cut off, interrupted, failed "
            "or has lost samples can be resumed.",
            409,
            code="not_resumable",
        )
    house.served.split(shown.spec(row).model)
    house.operation.admit(key)
    [ticket] = house.gate.tickets(key.name, 1)
    await _Resumed(house, row, ticket).ready()


class _Resumed(Conducted):
    def __init__(self, house: House, row: RunRow, ticket: Ticket) -> None:
        self._row, self._spec = row, shown.spec(row)
        super().__init__(house, Asked(self._spec.problem.messages, self._spec.model), ticket)

    async def _go(self) -> Result:
        house, row = self._house, self._row
        await self._ticket.turn()
        if house.live.going(row.id) is not None:
            raise ApiError(f"run {row.id} is in progress.", 409, code="not_resumable")
        planned = Planned(self._spec, None, False, "resumed")
        async with house.served.open(self._spec.model) as used:
            with house.operation.run(self._ticket.key, planned, used, resumed=True) as running:
                async with resuming(
                    row.id,
                    house.engine,
                    model=used,
                    journal=house.live.path or False,
                    trust=(*house.settings.trusted, *house.served.names),
                    publish=running.heard(self._going.hear),
                ) as runner:
                    return await self._run(runner, running)
