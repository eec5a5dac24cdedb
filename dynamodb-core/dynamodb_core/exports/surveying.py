"""Where manifests lie below a place; and the files, where there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamodb_core.exports.kinds import DataFile
from dynamodb_core.exports.manifests import FILES, LEGACY, STARTED, SUMMARY

if TYPE_CHECKING:
    from dynamodb_core.objects import ObjectStore


@dataclass(frozen=True)
class Survey:
    """What lies at a place. Folders end with a slash, but for the place itself: "".

    Attributes:
        summaries: Folders with a manifest-summary.json.
        legacies: Folders with the manifest of a legacy export.
        begun: Folders of exports that have begun and not ended.
        halves: Folders with a manifest-files.json alone.
        plain: Other files, where there is none of these.
    """

    summaries: list[str]
    legacies: list[str]
    begun: list[str]
    halves: list[str]
    plain: list[DataFile]


def survey(store: ObjectStore) -> Survey:
    """Return what lies at a place.

    Args:
        store: The place. All of it is listed.
    """
    seen: dict[str, list[str]] = {SUMMARY: [], LEGACY: [], STARTED: [], FILES: []}
    plain: list[DataFile] = []
    for key, size in store.list():
        folder, _, name = key.rpartition("/")
        if name in seen:
            seen[name].append(f"{folder}/" if folder else "")
            plain.clear()
        elif not any(seen.values()) and all(
            step[:1] not in ("", "_", ".") for step in key.split("/")
        ):
            plain.append(DataFile(key, None, None, size))
    whole = set(seen[SUMMARY])
    begun = [folder for folder in seen[STARTED] if folder not in whole]
    halves = [folder for folder in seen[FILES] if folder not in whole and folder not in begun]
    return Survey(seen[SUMMARY], seen[LEGACY], begun, halves, plain)
