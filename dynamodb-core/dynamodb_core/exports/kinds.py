"""What an export is: its files, its table, its time. Pure.

What a line of it says is a `change.Change`, or an item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

Kind = Literal["full", "incremental", "legacy", "files"]
"""A full export, one of a window of time, one of Data Pipeline or EMR, files without a manifest."""

Format = Literal["dynamodb_json", "ion", "legacy"]
"""How a line is written. The three legacy forms are told from each other line by line."""

View = Literal["NEW_IMAGE", "NEW_AND_OLD_IMAGES"]


class DataFile(NamedTuple):
    """A file of items or of changes.

    Attributes:
        key: Its key below the export's root.
        items: How many lines it holds, None where nothing says so.
        md5: MD5 of its bytes as they lie there, in base64; None where nothing says so.
        size: Its bytes.
    """

    key: str
    items: int | None
    md5: str | None
    size: int


@dataclass(frozen=True)
class Export:
    """What was found at a place. Times are in UTC.

    Attributes:
        kind: Which layout it has.
        format: How its lines are written.
        changes: Whether its lines are changes (`Keys`, `NewImage`), not items.
        location: Where it is, as a person names it.
        root: The place that its files' keys are below, for `objects.at`; wider than `location` where
            the data of a window lies beside its folder.
        files: Its data files, in the order of the manifest.
        arn: The export's ARN.
        table_arn: The table's.
        table_id: The table's id, which changes when it is made anew.
        table_name: The table's name.
        at: Full: the moment of which it tells.
        since: Incremental: where its window begins; that moment is in it.
        until: Incremental: where its window ends; that moment is not in it.
        view: Incremental: whether its lines hold old images.
        items: How many lines all files have together, as its summary says.
    """

    kind: Kind
    format: Format
    changes: bool
    location: str
    root: str
    files: tuple[DataFile, ...]
    arn: str | None = None
    table_arn: str | None = None
    table_id: str | None = None
    table_name: str | None = None
    at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    view: View | None = None
    items: int | None = None

    @property
    def id(self) -> str:
        """What tells it from other exports: its ARN, else its location."""
        return self.arn or self.location

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    def __str__(self) -> str:
        """Return it as a person names it."""
        if self.kind == "full":
            return f"the full export {self.location}" + (f" of {said(self.at)}" if self.at else "")
        if self.kind == "incremental":
            window = f" of {said(self.since)} to {said(self.until)}" if self.since else ""
            return f"the incremental export {self.location}{window}"
        what = "the legacy export" if self.kind == "legacy" else "the files at"
        return f"{what} {self.location}"


def said(moment: datetime | None) -> str:
    """Return a moment as a person writes it, exactly."""
    if moment is None:
        return "an unknown time"
    return moment.isoformat().replace("+00:00", "Z")
