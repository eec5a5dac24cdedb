"""Exports of DynamoDB's tables as a source: what lies in S3 or in a folder, read as parts.

::

    <place>/AWSDynamoDB/<id>/manifest-summary.json     a full export, or one of a window of time: which
                             manifest-summary.md5      table, when, how many items; its checksum
                             manifest-files.json       a line for each data file: key, count, MD5
                             manifest-files.md5
                             _started                  alone: the export is under way, or failed
                             data/<random>.json.gz     lines of a full export
    <place>/AWSDynamoDB/data/<random>.json.gz          lines of all windows: only what is named counts
    <place>/manifest                                   a legacy export (Data Pipeline, EMR) ...
    <place>/<id>                                       ... and its files
    <place>/**/*                                       files without any manifest

    where ── finding ──┬── manifests   texts to dataclasses (kinds)
                       └── keys        a manifest's keys to keys of the place, nothing outside of it
                 │
                 ▼
               chain ──── overlap      exports in the order of time; what two windows both tell of
                 │
                 ▼
               reader ─── streaming ── lines, ion     a file is a part: bytes, lines, changes

    a live table ── recovery ── windows ── asking ── made ── where      exports that DynamoDB is asked for
"""
