"""A comparison: both sides are read, their rows meet, and what differs is looked at again."""

from __future__ import annotations

import contextlib
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_core import prices
from dynamodb_core.cells import own_cells
from dynamodb_core.errors import StateError
from dynamodb_core.filters import typed_filter
from dynamodb_core.prices import Prices, Purse
from dynamodb_core.processes import can_share, shared_cells
from dynamodb_core.progress import OFTEN_SECONDS, SELDOM_SECONDS
from dynamodb_core.rates import Asked
from dynamodb_tools.canonical import Canon
from dynamodb_tools.checkpoint import WorkFolder, digest
from dynamodb_tools.join import Counts as Joined
from dynamodb_tools.join import join
from dynamodb_tools.preparing import announce, refuse, refuse_of_exports, require_affordable
from dynamodb_tools.reading import Reading
from dynamodb_tools.report import Counts, Report, Scope, Shown, SideReport
from dynamodb_tools.sides import How, share_processes
from dynamodb_tools.verify import lasting, look_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dynamodb_tools.differences_file import DifferencesFile
    from dynamodb_tools.join import Found
    from dynamodb_tools.reading import Half
    from dynamodb_tools.sides import Readable
    from dynamodb_tools.stopping import Signals
    from dynamodb_tools.verify import Outcome

log = logging.getLogger("dynamodb-tools")


@dataclass(frozen=True)
class Comparing:
    """What the configuration says of comparisons.

    Attributes:
        how: How tables are read.
        scope: What of their items is compared.
        signals: What asks the command to end.
        show: How many differences are shown.
        spelling: Whether items that are only spelled otherwise are among them.
        root: Where work folders are.
        start_over: Whether what an interrupted run has left is not gone on with.
        most: What all comparisons together may cost; None where nobody counts.
        prices: What units cost.
    """

    how: How
    scope: Scope
    signals: Signals
    show: int = 20
    spelling: bool = False
    root: Path = Path(".dynamodb-tools")
    start_over: bool = False
    most: float | None = None
    prices: Prices = field(default_factory=Prices)

    @classmethod
    def of(cls, config: Mapping[str, Any], signals: Signals) -> Comparing:
        """Read a configuration that fits the command's settings.

        Args:
            config: Values by name.
            signals: What asks the command to end.

        Raises:
            ConfigError: Two settings contradict each other, or the filter is none.
        """
        given = config.get("filter")
        most = config.get("max_cost")
        how = How(
            Asked("read", config.get("read_capacity"), config.get("read_capacity_percent")),
            consistent=config["consistent_read"],
            filter=None if given is None else typed_filter(given, "the tables"),
            segments=config.get("segments"),
            workers=config.get("scan_workers"),
            processes=config.get("processes"),
        )
        scope = Scope(
            sample=config["sample"],
            keys_only=config["keys_only"],
            ignore=tuple(sorted(set(config["ignore"]))),
            filter=given,
            consistent=config["consistent_read"],
            since=config.get("since"),
        )
        return cls(
            how,
            scope,
            signals,
            show=config["show"],
            spelling=config["spelling"],
            root=Path(config["work_folder"]),
            start_over=config["start_over"],
            most=None if most is None else float(most),
            prices=Prices.of(config.get("prices")),
        )

    @cached_property
    def purse(self) -> Purse | None:
        """What pays for all that is read; None where nobody counts."""
        if self.most is None:
            return None
        cells = shared_cells if can_share() else own_cells
        return Purse(self.most, self.prices.unit("read"), cells=cells(prices.CELLS))

    def compare(
        self,
        a: Readable,
        b: Readable,
        file: DifferencesFile | None,
        tell: Callable[[Shown], None],
    ) -> Report:
        """Compare B with A.

        Args:
            a: The table or export that is as both ought to be.
            b: The other one.
            file: Takes all differences.
            tell: Takes the first ones.

        Raises:
            ConfigError: They cannot be compared.
            StateError: What an interrupted run has left does not fit.
            Error: Reading failed; what was read is kept.
            Stopped: A signal has come; likewise.
        """
        began = time.monotonic()
        refuse(a, b)
        filtered = self.how.filter is not None
        refuse_of_exports(a, b, self.scope, filtered=filtered, to_file=file is not None)
        for side in (a, b):
            side.look_up_pace()
        with self._folder(a, b) as folder:
            reading = Reading((a, b), folder)
            self._read(a, b, reading, folder)
            joined, counts = Joined(), Counts()
            look = self._saying(joined, counts)
            found = join(*reading.seal(), joined, scratch=folder.path / "again", look=look)
            outcomes = self._outcomes(
                (a, b), found, folder.path / "waiting", look, to_file=file is not None
            )
            with file.pair(a.table, b.table) if file else contextlib.nullcontext():
                first = self._told(outcomes, counts, file, tell)
            counts.a, counts.b, counts.same = joined.a, joined.b, joined.same
            one, other = (
                _side(half, side.fetched_units)
                for half, side in zip(reading.halves, (a, b), strict=True)
            )
        return Report(one, other, self.scope, counts, time.monotonic() - began, first)

    @contextmanager
    def _folder(self, a: Readable, b: Readable) -> Iterator[WorkFolder]:
        """Open the work folder, which is gone when the work is done, and stays when it is not."""
        scope = self.scope
        what = {
            "a": a.place,
            "b": b.place,
            "sample": scope.sample,
            "keys_only": scope.keys_only,
            "ignore": scope.ignore,
            "filter": scope.filter,
            "consistent": scope.consistent,
        }
        folder = WorkFolder(self.root / f"compare-{digest(what)}")
        folder.open()
        try:
            if self.start_over:
                folder.clear()
            yield folder
        except BaseException as error:
            if not folder.begun:
                folder.remove()
                raise
            folder.close()
            if not isinstance(error, StateError):
                log.info("Kept in %s: run the same command again to go on", folder.path)
            raise
        folder.remove()

    def _read(self, a: Readable, b: Readable, reading: Reading, folder: WorkFolder) -> None:
        """Read what is left of both sides."""
        sides = (a, b)
        left = [half.places for half in reading.halves]
        if self.most is not None and not reading.complete:
            require_affordable(sides, left, self.most, self.prices)
        for side, processes in zip(sides, share_processes(sides, left), strict=True):
            side.begin(processes=processes, purse=self.purse)
        if reading.resumed:
            log.info("Going on with the comparison that began at %s", reading.began)
        if reading.complete:
            return
        announce(sides, left, self.scope, folder.path)
        with self.signals.held():
            reading.run(self._canon(a), self.signals.look, [side.budget for side in sides])

    def _saying(self, joined: Joined, counts: Counts) -> Callable[[], None]:
        """Return what is to be called often while rows meet: it ends on a signal, and says how far it is."""
        said, pause = time.monotonic(), OFTEN_SECONDS

        def look() -> None:
            nonlocal said, pause
            self.signals.look()
            now = time.monotonic()
            if now - said < pause:
                return
            said, pause = now, min(2 * pause, SELDOM_SECONDS)
            log.info(
                "Compared %s items of A with %s of B so far: %s differences, %s settled since",
                f"{joined.a:,}",
                f"{joined.b:,}",
                f"{counts.different:,}",
                f"{counts.settled:,}",
            )

        return look

    def _canon(self, side: Readable) -> Canon:
        scope = self.scope
        return Canon(side.key, frozenset(scope.ignore), scope.keys_only, scope.sample)

    def _outcomes(
        self,
        sides: tuple[Readable, Readable],
        found: Iterator[Found],
        scratch: Path,
        look: Callable[[], None],
        *,
        to_file: bool,
    ) -> Iterator[Outcome]:
        """Look differences up again, as far as somebody wants to know."""
        a, b = (partial(side.fetch, idle=look) if side.can_fetch else None for side in sides)
        canon, since = self._canon(sides[0]), self.scope.since
        if since is None and self.how.filter is not None:
            since = 0.0  # what a filter left out on one side may be there all the same
        if since is not None:
            return lasting(
                found,
                a,
                b,
                canon,
                since=since,
                scratch=scratch,
                respelled=self.spelling,
                look=look,
            )
        looked_up = count()

        def wanted(each: Found) -> bool:
            if to_file:
                return each.kind != "respelled" or self.spelling
            if a is None or b is None:
                return False  # what differs can only be said of two items
            names = each.kind == "differs" or (each.kind == "respelled" and self.spelling)
            return names and next(looked_up) < self.show

        return look_up(found, a, b, canon, wanted=wanted)

    def _told(
        self,
        outcomes: Iterator[Outcome],
        counts: Counts,
        file: DifferencesFile | None,
        tell: Callable[[Shown], None],
    ) -> list[Shown]:
        """Count differences, write them to the file, and return the first ones, which are told."""
        first: list[Shown] = []
        for kind, key, item, differences, _named in outcomes:
            setattr(counts, kind, getattr(counts, kind) + 1)
            if kind == "settled" or kind == "moving":  # noqa: PLR1714 - mypy understands it so
                continue
            if kind == "respelled" and not self.spelling:
                continue
            if file is not None:
                file.write(kind, key, item, differences)
            if len(first) < self.show:
                first.append(Shown(kind, key, differences))
                tell(first[-1])
        return first


def _side(half: Half, fetched_units: float) -> SideReport:
    side, units = half.side, half.units + fetched_units
    return SideReport(side.what, side.place, half.items, half.size, units, half.seconds)
