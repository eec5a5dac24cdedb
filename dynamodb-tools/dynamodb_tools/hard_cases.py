"""Items that are hard to carry: named attributes in raw DynamoDB JSON without keys; and keys.

Nothing here is random. Each case has a name, so that a difference can be spoken of.
"""

from __future__ import annotations

import base64
from typing import Any

Attributes = dict[str, dict[str, Any]]


def _b(data: bytes) -> str:
    return base64.b64encode(data).decode()


NUMBERS = (
    *(
        "0",
        "-0",
        "1",
        "-1",
        "1.0",
        "1.50",
        "007",
        "0.5",
        "1E2",
        "1e-7",
        "-12.5E+3",
        "1e0",
        "+5",
        ".5",
        "5.",
    ),
    *("12345678901234567890123456789012345678", "-12345678901234567890123456789012345678"),
    *("0.12345678901234567890123456789012345678", "123456789012345678901234567890.12345678"),
    *("1E-130", "-1E-130", "9.9999999999999999999999999999999999999E+125"),
    *("-9.9999999999999999999999999999999999999E+125", "1E+125", "9007199254740993"),
    *("9223372036854775808", "18446744073709551617", "0.1", "0.30000000000000004", "1E22"),
    "100000000000000000000000000000000000000000",
)

TEXTS = (
    *("", " ", "x", "null", "true", "1", "1E5", "NaN", "Infinity", "[]", "{}", '{"S":"x"}'),
    *("\"quotes\" and 'quotes'", "back\\slash", "a/b~c", "tab\there", "line\nfeed", "cr\r\nlf"),
    *("nul\x00inside", "\x01\x02\x1b\x1f", "\x7f\x80\x9f", "\u2028\u2029", "\ufeffbom", "\uffff"),
    *("😀", "👩‍👩‍👧‍👦", "𝒳𐍈", "é and e\u0301", "עברית العربية", "日本語", "</script>", "%s %d {0}"),
    *("2026-02-30T25:61:00Z", "2026-01-01", "AAEC", "0x1F", "=1+1"),
)

BYTES = (b"", b"\x00", b"\xff\xfe", b"\xfb\xef\xbe", b"plain", bytes(range(256)), b"\xed\xa0\x80")

EVERY_TYPE: Attributes = {
    "text": {"S": "x"},
    "number": {"N": "1.5"},
    "binary": {"B": _b(b"\x00\xff")},
    "yes": {"BOOL": True},
    "no": {"BOOL": False},
    "nothing": {"NULL": True},
    "texts": {"SS": ["a", "b", "c"]},
    "numbers": {"NS": ["1", "2.5", "1E-130"]},
    "binaries": {"BS": [_b(b"\x00"), _b(b"\xff")]},
    "map": {"M": {"a": {"S": "x"}}},
    "list": {"L": [{"S": "x"}, {"N": "1"}]},
}

_RESERVED = "ABORT ADD ALL COUNT DATE DELETE GROUP KEY NAME ORDER SET SIZE STATUS TABLE TTL VALUE"

NAMES = (
    *("M", "S", "N", "B", "L", "SS", "NS", "BS", "NULL", "BOOL", "Item", "item", "ITEM", "Items"),
    *("_dynamodb", "_dynamodb ", "_sdc_deleted_at", "_sdc_batched_at", "type", "record", "types"),
    *("rest", "userId", "userid", "USERID", "user_id", "user.id", "user id", "user-id", "user:id"),
    *(".", "..", " ", "  ", "a.b.c", "a/b", "a~b", "~0", "~1", "/", "a[0]", "[0]", "#a", ":a"),
    *('"', "'", "`", "\\", '\\"', "\n", "\t", "\x00", "\x01", "\x1f", "\x7f", "\u2028"),
    *("$ref", "__class__", "__proto__", "self", "class", "0", "1", "-", "_", "é", "e\u0301", "😀"),
    *_RESERVED.split(),
    *_RESERVED.lower().split(),
    "n" * 255,
    "long " * 200,
)


def _deep(kind: str, levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "the bottom"}
    for level in range(levels):
        inside_map = kind == "M" or (kind == "mixed" and level % 2 == 0)
        value = {"M": {"down": value}} if inside_map else {"L": [value]}
    return value


_CHANGING: tuple[dict[str, Any], ...] = (
    *EVERY_TYPE.values(),
    *({"S": ""}, {"S": "1"}, {"S": "2026-01-01"}, {"N": "-7"}, {"N": "1E+125"}),
    *({"L": []}, {"M": {}}, {"B": ""}, {"SS": ["1"]}, {"NS": ["1"]}, {"BS": [_b(b"1")]}),
    *({"L": [{"S": "a"}, {"S": "b"}]}, {"M": {"S": {"S": "x"}}}, {"L": [{"NULL": True}]}),
)

MOST_BYTES = 409_500
"""Bytes of one attribute's value in the items of nearly 400 KB (409,600 with names and key)."""


def large_cases(most: int) -> tuple[tuple[str, Attributes], ...]:
    """Return the cases that are as large as can be.

    Args:
        most: Bytes of the one attribute that they have.
    """
    return (
        ("large text", {"text": {"S": "x" * most}}),
        ("large text of emoji", {"text": {"S": "😀" * (most // 4)}}),
        ("large text of quotes", {"text": {"S": '"' * most}}),
        ("large text of control characters", {"text": {"S": "\x01" * most}}),
        ("large binary", {"binary": {"B": _b(bytes(range(256)) * (most // 256))}}),
        ("large list", {"list": {"L": [{"S": "y" * 99} for _ in range(most // 101)]}}),
    )


SMALL_CASES: tuple[tuple[str, Attributes], ...] = (
    ("every type", EVERY_TYPE),
    ("no attributes but the key", {}),
    *((f"number {text}", {"n": {"N": text}}) for text in NUMBERS),
    ("numbers in a list", {"list": {"L": [{"N": text} for text in NUMBERS]}}),
    ("numbers in a map", {"map": {"M": {text: {"N": text} for text in NUMBERS}}}),
    *((f"text {text!r}", {"text": {"S": text}}) for text in TEXTS),
    ("texts in a list", {"list": {"L": [{"S": text} for text in TEXTS]}}),
    ("texts as names in a map", {"map": {"M": {text or "?": {"S": text} for text in TEXTS}}}),
    *((f"binary {data[:4]!r}", {"binary": {"B": _b(data)}}) for data in BYTES),
    ("binary inside lists", {"list": {"L": [{"B": _b(data)} for data in BYTES]}}),
    ("binary inside maps", {"map": {"M": {"b": {"B": _b(b"\x00\x01")}, "t": {"S": "AAE="}}}}),
    ("text that looks like base64", {"binary": {"S": "AAE="}, "text": {"S": "AP8="}}),
    ("empty text", {"text": {"S": ""}, "list": {"L": [{"S": ""}]}, "map": {"M": {"a": {"S": ""}}}}),
    ("empty list and map", {"list": {"L": []}, "map": {"M": {}}}),
    ("empties in empties", {"list": {"L": [{"L": []}, {"M": {}}, {"M": {"a": {"L": []}}}]}}),
    ("empty binary", {"binary": {"B": ""}, "list": {"L": [{"B": ""}]}}),
    (
        "one-member sets",
        {"texts": {"SS": ["a"]}, "numbers": {"NS": ["1"]}, "binaries": {"BS": ["AA=="]}},
    ),
    (
        "large sets",
        {
            "texts": {"SS": [f"member {n}" for n in range(500)]},
            "numbers": {"NS": [str(n) for n in range(500)]},
        },
    ),
    (
        "sets of hard numbers",
        {
            "numbers": {
                "NS": [
                    "0",
                    "-1",
                    "0.1",
                    "1E-130",
                    "9.9999999999999999999999999999999999999E+125",
                    "12345678901234567890123456789012345678",
                ]
            }
        },
    ),
    ("sets with an empty member", {"texts": {"SS": ["", "a"]}, "binaries": {"BS": ["", "AA=="]}}),
    ("sets of texts like numbers", {"texts": {"SS": ["1", "1.0", "01", "1E0", "null", " "]}}),
    (
        "sets inside maps",
        {
            "map": {
                "M": {
                    "ss": {"SS": ["b", "a"]},
                    "ns": {"NS": ["2", "1"]},
                    "bs": {"BS": ["AA==", "AQ=="]},
                }
            }
        },
    ),
    (
        "sets inside lists",
        {"list": {"L": [{"SS": ["b", "a"]}, {"NS": ["2", "1"]}, {"BS": ["AA=="]}]}},
    ),
    (
        "lists that look like sets",
        {"list": {"L": [{"S": "a"}, {"S": "b"}]}, "texts": {"L": [{"S": "a"}]}},
    ),
    (
        "maps that look typed",
        {
            "map": {"M": {"S": {"S": "x"}}},
            "map2": {"M": {"N": {"S": "1"}}},
            "map3": {"M": {"M": {"M": {"S": {"S": "x"}}}}},
            "map4": {"M": {"NULL": {"BOOL": True}}},
            "map5": {"M": {"L": {"L": [{"M": {"S": {"S": "x"}}}]}}},
        },
    ),
    (
        "maps with null and bool names",
        {
            "map": {
                "M": {
                    "NULL": {"NULL": True},
                    "BOOL": {"BOOL": False},
                    "B": {"B": "AA=="},
                    "SS": {"SS": ["a"]},
                }
            }
        },
    ),
    (
        "a map that looks like the reserved object",
        {
            "map": {"M": {"types": {"M": {"/a": {"S": "B"}}}, "rest": {"M": {}}}},
            "_dynamodb": {
                "M": {
                    "types": {"M": {"/text": {"S": "B"}}},
                    "rest": {"M": {"x": {"M": {"S": {"S": "y"}}}}},
                }
            },
            "text": {"S": "AA=="},
        },
    ),
    (
        "NULL attributes",
        {
            "nothing": {"NULL": True},
            "text": {"NULL": True},
            "number": {"NULL": True},
            "list": {"NULL": True},
            "map": {"NULL": True},
        },
    ),
    (
        "NULL in lists and maps",
        {
            "list": {"L": [{"NULL": True}, {"S": "x"}, {"NULL": True}]},
            "map": {"M": {"a": {"NULL": True}, "b": {"L": [{"NULL": True}]}}},
        },
    ),
    (
        "bools in lists and maps",
        {"list": {"L": [{"BOOL": True}, {"BOOL": False}]}, "map": {"M": {"a": {"BOOL": True}}}},
    ),
    *((f"attribute named {name[:40]!r}", {name: {"S": "x"}}) for name in NAMES),
    (
        "names that differ in case",
        {"userId": {"S": "a"}, "userid": {"N": "1"}, "USERID": {"BOOL": True}, "UserId": {"L": []}},
    ),
    (
        "names that differ in punctuation",
        {
            "a.b": {"S": "1"},
            "a b": {"S": "2"},
            "a-b": {"S": "3"},
            "a_b": {"S": "4"},
            "a:b": {"S": "5"},
            "a": {"M": {"b": {"S": "6"}}},
        },
    ),
    (
        "types under names with slashes and tildes",
        {
            "a/b": {"M": {"c~d": {"B": "AA=="}, "c/d": {"SS": ["x"]}}},
            "~1": {"L": [{"BS": ["AA=="]}]},
        },
    ),
    ("names in maps", {"map": {"M": {name: {"S": "x"} for name in NAMES}}}),
    *((f"changing type {n}", {"changing": value}) for n, value in enumerate(_CHANGING)),
    *(
        (f"changing type in a map {n}", {"box": {"M": {"v": value}}})
        for n, value in enumerate(_CHANGING)
    ),
    *((f"seen once {kind}", {f"only here {kind}": value}) for kind, value in EVERY_TYPE.items()),
    ("mixed list", {"list": {"L": list(EVERY_TYPE.values())}}),
    ("mixed map", {"map": {"M": dict(EVERY_TYPE)}}),
    ("32 maps deep", {"deep": _deep("M", 31)}),
    ("32 lists deep", {"deep": _deep("L", 31)}),
    ("32 maps and lists deep", {"deep": _deep("mixed", 31)}),
    ("many attributes", {f"attribute {n}": {"N": str(n)} for n in range(900)}),
)
"""Every hard case that is small: its name and its attributes. Most names of attributes come with several
types."""

CASES = (*SMALL_CASES, *large_cases(MOST_BYTES))
"""Every hard case."""

KEY_TEXTS = (
    *("a", "A", "é", "e\u0301", "ß", "😀", "0", "00", "1.0", "true", "null", "{}", '{"S":"x"}'),
    *(" ", " a", "a ", "a b", "a.b", "a/b", "a~b", "a~1b", "a$", "a#b", "a|b", "a,b", "%41"),
    *('"', '\\"', "\\", "'", "`", "<&>", "\t", "\n", "\r\n", "\x00", "a\x00b", "\x1f", "\x7f"),
    *("\u2028", "\ufeff", "\uffff", "z" * 1024),
)
KEY_NUMBERS = (
    *("0", "1", "-1", "7", "10", "100", "0.1", "-0.1", "1.5", "-273.15", "1E-130", "-1E-130"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616"),
    *("12345678901234567890123456789012345678", "12345678901234567890123456789012345679"),
    *("0.12345678901234567890123456789012345678", "-99999999999999999999999999999999999999"),
    *("9.9999999999999999999999999999999999999E+125", "1E+125", "-1E+125"),
)
KEY_BINARIES = tuple(
    _b(data)
    for data in (
        *(b"\x00", b"\x00\x00", b"\x01", b"\xff", b"\xff\xff", b"\x80", b"a", b"A", b'"', b"\n"),
        *(b"\xc3\x28", b"\xed\xa0\x80", b"\xfb\xff\xbf", bytes(range(256)), b"\x00" * 1024),
    )
)
