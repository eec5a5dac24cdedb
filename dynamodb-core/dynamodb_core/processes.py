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
import time
import traceback
from multiprocessing import connection, resource_tracker
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from dynamodb_core import frames, heap, pipes
from dynamodb_core.cells import Cells
from dynamodb_core.command import calm, hush
from dynamodb_core.errors import PartLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

END_SECONDS = 5.0
"""How long a process that has closed its end may take to leave."""

LOCK_SECONDS = 30.0
"""How long one that lives may hold a lock, which it needs for some microseconds."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

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
    """A worker process ended in the middle of its work.

    Attributes:
        worker: Its number.
        how: How it ended, in words.
        parts: What it was reading, in words.
    """

    def __init__(self, worker: int, how: str, parts: Sequence[str] = ()) -> None:
        super().__init__(
            f"Worker process {worker} ended in the middle of its work: {how}"
            + (f", while it was reading {', '.join(parts)}" if parts else ""),
            "If the machine ran out of memory, use fewer processes; run again with the last state "
            "to go on",
        )
        self.worker = worker
        self.how = how
        self.parts = tuple(parts)

    def __reduce__(self) -> Any:
        """Pickle by what it was made of."""
        return type(self), (self.worker, self.how, self.parts)


class _Failed(NamedTuple):
    error: BaseException
    where: str


class _Ended(NamedTuple):
    pass


def can_share() -> bool:
    """Return whether this system has what processes share; AWS Lambda, for one, has no semaphores."""
    try:
        _context.Lock()
    except (ImportError, OSError):
        return False
    return True


def shared_cells(count: int) -> Cells:
    """Return cells that worker processes share, when they are part of a job.

    Args:
        count: How many.
    """
    return Cells(_context.RawArray("d", count), _PatientLock())


class _PatientLock:
    """A lock of processes that is not waited for until the end of days: its holder may be dead."""

    def __init__(self) -> None:
        self._lock = _context.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise PartLost(
                "A worker process ended while it held what all of them share",
                "Run again with the last state to go on",
            )

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


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
        self._finishing: set[int] = set()

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
        with _held_signals():
            self._start(level)

    def _start(self, level: int) -> None:
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
        """Send a message to a worker. Of one that has ended meanwhile `receive` will tell.

        Args:
            worker: Its number, from 0.
            message: Anything that can be pickled but None.

        Raises:
            WorkerLost: It has ended, and `receive` has told so.
        """
        self._send(worker, message)

    def finish(self, worker: int) -> None:
        """Tell a worker that no further message will come: it ends when it has done its work.

        Args:
            worker: Its number, from 0.

        Raises:
            WorkerLost: It has ended, and `receive` has told so.
        """
        self._finishing.add(worker)
        self._send(worker, None)

    def receive(self, timeout: float) -> tuple[int, Any] | None:
        """Return what a worker sent, taking them in turn.

        After an error of one worker the others can still be received.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The worker's number and the message; None when there was nothing, or all have ended.

        Raises:
            WorkerLost: A worker ended without having done its work.
            Exception: What a worker raised.
        """
        until = time.monotonic() + timeout
        while self._outboxes:
            if not self._ready:
                left = max(0.0, until - time.monotonic())
                self._ready.extend(connection.wait(list(self._outboxes), left))  # type: ignore[arg-type]
            if not self._ready:
                return None
            outbox = self._ready.popleft()
            worker = self._outboxes[outbox]
            try:
                message = frames.receive(outbox)
            except (EOFError, OSError) as error:
                self._hang_up(outbox)
                raise self._lost(worker) from error
            if isinstance(message, logging.LogRecord):
                logging.getLogger(message.name).handle(message)
            elif isinstance(message, _Failed):
                self._hang_up(outbox)
                raise message.error from _ElsewhereError(message.where)
            elif isinstance(message, _Ended):
                self._hang_up(outbox)
                if worker not in self._finishing:
                    raise WorkerLost(worker, "it left before its work was done")
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

    def _hang_up(self, outbox: Connection) -> None:
        del self._outboxes[outbox]
        outbox.close()

    def _send(self, worker: int, message: Any) -> None:
        try:
            self._inboxes[worker].send(message)
        except OSError as error:
            # There may be a message of it that says why.
            if worker not in self._outboxes.values():
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


@contextlib.contextmanager
def _held_signals() -> Iterator[None]:
    """Let signals wait: a process that is begun meanwhile is deaf to them from its first moment on."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which lets them through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(job: Job, inbox: Connection, outbox: Connection, level: int) -> None:
    """Do a job in a process of its own."""
    for number in _SIGNALS:  # they are for the process that began this one
        signal.signal(number, signal.SIG_IGN)
    _detach()
    hush()
    # Where credentials come from, the process that began this one has said.
    logging.getLogger("botocore.credentials").setLevel(logging.WARNING)
    heap.share()
    calm()
    lock = threading.Lock()

    def send(message: Any) -> None:
        frame = frames.Frame(message)
        with lock:
            frame.send(outbox)

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
