"""Worker processes, the only module that starts them: a job each, messages both ways.

A process is begun afresh (spawned), never forked, as threads and connections do not survive a fork.
It has no part in the standard input and output of the run, leaves signals to the process that began
it, and ends when that is gone, however it went.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import logging
import logging.handlers
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import traceback
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dynamodb_core import heap, pipes
from dynamodb_core.cells import Cells
from dynamodb_core.command import calm, hush
from dynamodb_core.errors import PartLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

END_SECONDS = 5.0
"""How long a process that has closed its end may take to leave."""

_context = multiprocessing.get_context("spawn")


class Job(Protocol):
    """What a worker process does. It is pickled on its way there."""

    def run(self, inbox: Iterator[Any], send: Callable[[Any], None]) -> None:
        """Work until the inbox ends.

        Args:
            inbox: What the process that began this one sends; waits for it.
            send: Sends something back; any thread may. Waits while it is not taken.
        """
        ...


class WorkerLost(PartLost):
    """A worker process ended in the middle of its work."""

    def __init__(self, worker: int, how: str) -> None:
        super().__init__(
            f"Worker process {worker} ended in the middle of its work: {how}",
            "If the machine ran out of memory, use fewer processes; run again with the last state "
            "to go on",
        )
        self.worker = worker
        self.how = how

    def __reduce__(self) -> Any:
        """Pickle by what it was made of."""
        return type(self), (self.worker, self.how)


class _Failed(NamedTuple):
    error: BaseException
    where: str


class _Ended(NamedTuple):
    pass


def shared_cells(count: int) -> Cells:
    """Return cells that worker processes share, when they are part of a job.

    Args:
        count: How many.
    """
    return Cells(_context.RawArray("d", count), _context.Lock())


class Crew:
    """Worker processes, one for each job. Not to be shared by several threads.

    Args:
        jobs: What each process does.
        name: Begins the processes' names.
    """

    def __init__(self, jobs: Sequence[Job], *, name: str) -> None:
        self._jobs = jobs
        self._name = name
        self._processes: list[SpawnProcess] = []
        self._inboxes: list[Connection] = []
        self._outboxes: dict[Connection, int] = {}
        self._ready: collections.deque[Connection] = collections.deque()

    def __len__(self) -> int:
        """Return how many workers there are."""
        return len(self._jobs)

    @property
    def working(self) -> int:
        """How many workers have not ended yet."""
        return len(self._outboxes)

    def start(self) -> None:
        """Start the processes."""
        atexit.register(self.close)
        level = logging.getLogger().getEffectiveLevel()
        for number, job in enumerate(self._jobs):
            there, inbox = _context.Pipe(duplex=False)
            outbox, back = _context.Pipe(duplex=False)
            pipes.widen(outbox.fileno())
            process = _context.Process(
                target=_serve,
                args=(job, there, back, level),
                name=f"{self._name}-{number}",
                daemon=True,
            )
            process.start()
            there.close()
            back.close()
            self._processes.append(process)
            self._inboxes.append(inbox)
            self._outboxes[outbox] = number

    def send(self, worker: int, message: Any) -> None:
        """Send a message to a worker.

        Args:
            worker: Its number, from 0.
            message: Anything that can be pickled but None.

        Raises:
            WorkerLost: It has ended.
        """
        self._send(worker, message)

    def finish(self, worker: int) -> None:
        """Tell a worker that no further message will come: it ends when it has done its work.

        Args:
            worker: Its number, from 0.

        Raises:
            WorkerLost: It has ended already.
        """
        self._send(worker, None)

    def receive(self, timeout: float) -> tuple[int, Any] | None:
        """Return what a worker sent, taking them in turn.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The worker's number and the message; None when there was nothing, or all have ended.

        Raises:
            WorkerLost: A worker ended without having done its work.
            Exception: What a worker raised.
        """
        while self._outboxes:
            if not self._ready:
                self._ready.extend(connection.wait(list(self._outboxes), timeout))  # type: ignore[arg-type]
            if not self._ready:
                return None
            outbox = self._ready.popleft()
            worker = self._outboxes[outbox]
            try:
                message = outbox.recv()
            except (EOFError, OSError) as error:
                raise self._lost(worker) from error
            if isinstance(message, logging.LogRecord):
                logging.getLogger(message.name).handle(message)
            elif isinstance(message, _Failed):
                raise message.error from _ElsewhereError(message.where)
            elif isinstance(message, _Ended):
                del self._outboxes[outbox]
                outbox.close()
            else:
                return worker, message
        return None

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        atexit.unregister(self.close)
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for each in (*self._inboxes, *self._outboxes):
            each.close()
        self._processes.clear()
        self._inboxes.clear()
        self._outboxes.clear()
        self._ready.clear()

    def _send(self, worker: int, message: Any) -> None:
        try:
            self._inboxes[worker].send(message)
        except OSError as error:
            raise self._lost(worker) from error

    def _lost(self, worker: int) -> WorkerLost:
        process = self._processes[worker]
        process.join(END_SECONDS)
        code = process.exitcode
        if code is None:
            how = "it does not answer any more"
        elif code < 0:
            how = f"it was ended by {signal.Signals(-code).name}"
        else:
            how = f"it left with exit code {code}"
        return WorkerLost(worker, how)


def _serve(job: Job, inbox: Connection, outbox: Connection, level: int) -> None:
    """Do a job in a process of its own."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for the process that began this one
        signal.signal(number, signal.SIG_IGN)
    _detach()
    hush()
    heap.share()
    calm()
    lock = threading.Lock()

    def send(message: Any) -> None:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with lock:
            outbox.send_bytes(data)

    root = logging.getLogger()
    root.handlers[:] = [_Relay(send)]
    root.setLevel(level)
    with contextlib.suppress(BrokenPipeError):  # nobody is there any more
        try:
            job.run(_messages(inbox), send)
        except BaseException as error:  # noqa: BLE001 - raised again in the process that began this one
            where = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            send(_Failed(_portable(error), where))
        else:
            send(_Ended())


def _messages(inbox: Connection) -> Iterator[Any]:
    """Yield what arrives, until the end is said; leave the process when nobody is there any more."""
    arrived = queue.SimpleQueue[Any]()

    def listen() -> None:
        message: Any = ...
        while message is not None:
            try:
                message = inbox.recv()
            except (EOFError, OSError):
                os._exit(1)
            arrived.put(message)
        with contextlib.suppress(EOFError, OSError):
            inbox.recv()
        os._exit(1)

    threading.Thread(target=listen, name="inbox", daemon=True).start()
    yield from iter(arrived.get, None)


def _detach() -> None:
    """Let go of standard input and output: their other ends must see when the run itself is gone."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


class _Relay(logging.handlers.QueueHandler):
    """Hands log records to the process that began this one."""

    def __init__(self, send: Callable[[Any], None]) -> None:
        super().__init__(queue.Queue())
        self._send = send

    def enqueue(self, record: logging.LogRecord) -> None:
        self._send(record)


def _portable(error: BaseException) -> BaseException:
    """Return an error that survives the way."""
    try:
        again: BaseException = pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own making
    except Exception:  # noqa: BLE001 - whatever an exception's own pickling may raise
        return RuntimeError(str(error))
    return again


class _ElsewhereError(Exception):
    """Where an error was raised in a worker process: the cause of the one that is raised here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"
