"""Worker processes that load files side by side: each has one in work and one that waits."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from dynamodb_core.errors import PartLost
from dynamodb_core.processes import Crew, WorkerLost, shared_cells
from target_dynamodb.loader import Assignment, Loader, Outcome, Written
from target_dynamodb.rejected import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.budgets import Budgets
    from dynamodb_core.progress import Progress
    from dynamodb_core.settings import AwsSettings
    from target_dynamodb.contents import File
    from target_dynamodb.loader import Way

MOST_FILES = 2
"""Files that a worker has: one that it loads, and one so that it need not wait for the next."""


class Team:
    """Deals files out to worker processes, and says what became of each. Starts them at once.

    Args:
        aws: Where the service is and who asks.
        budgets: The budgets of each table that may be written, by its name; in shared cells.
        processes: How many.
        workers: Requests that each has on their way at once, for each table.
        progress: Told what is written.
        rejecting: Whether records that cannot be written are received, instead of ending their file.
    """

    def __init__(
        self,
        aws: AwsSettings,
        budgets: Mapping[str, Budgets],
        *,
        processes: int,
        workers: int,
        progress: Progress,
        rejecting: bool = False,
    ) -> None:
        self.tables = frozenset(budgets)
        self._progress = progress
        self._stop = shared_cells(1)
        self._files: list[dict[int, File]] = [{} for _ in range(processes)]
        self._ways: list[Way | None] = [None] * processes
        self._lost: set[int] = set()
        self._outcomes: deque[Outcome] = deque()
        job = Loader(aws, workers, budgets, self._stop, rejecting)
        self._crew = Crew([job] * processes, name="load")
        self._crew.start()

    @property
    def full(self) -> bool:
        """Whether no worker can take one more file."""
        return min(self._loads()) >= MOST_FILES

    def load(self, number: int, file: File, way: Way) -> None:
        """Give a file to the worker that has the fewest.

        Args:
            number: The file's number.
            file: The file.
            way: How its records become writes; the same object for all files that share it.
        """
        loads = self._loads()
        worker = loads.index(min(loads))
        self._files[worker][number] = file
        known = self._ways[worker] is way
        self._ways[worker] = way
        with contextlib.suppress(
            WorkerLost
        ):  # `receive` will say so, after what it still has to say
            self._crew.send(worker, Assignment(number, file, None if known else way))

    def receive(self, timeout: float) -> Outcome | Rejected | None:
        """Return what became of some file, or a record of one that cannot be written.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The outcome, which comes after the file's records; None when there was nothing in time.

        Raises:
            WorkerLost: A worker ended that had no file.
        """
        while not self._outcomes:
            try:
                received = self._crew.receive(timeout)
            except WorkerLost as lost:
                self._bury(lost)
                continue
            if received is None:
                return None
            worker, message = received
            if isinstance(message, Written):
                self._progress.add(**message._asdict())
                continue
            if isinstance(message, Rejected):
                return message
            del self._files[worker][message.number]
            self._outcomes.append(message)
        return self._outcomes.popleft()

    def stop(self) -> None:
        """Let the workers leave their files where they are; an outcome of each comes all the same."""
        with self._stop.lock:
            self._stop.values[0] = 1

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._crew.close()

    def _loads(self) -> list[int]:
        return [
            MOST_FILES if worker in self._lost else len(files)
            for worker, files in enumerate(self._files)
        ]

    def _bury(self, lost: WorkerLost) -> None:
        """Turn a worker's end into outcomes of the files that it had."""
        files = self._files[lost.worker]
        self._lost.add(lost.worker)
        if not files:
            raise lost
        for number, file in files.items():
            error = PartLost(
                f"Worker process {lost.worker} ended before file {file} was loaded: {lost.how}",
                "The file stays where it is. If the machine ran out of memory, use fewer "
                "processes; run again with the last state to go on",
            )
            self._outcomes.append(Outcome(number, error=error))
        files.clear()
