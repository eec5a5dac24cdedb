"""Every digit survives, no odd text reaches a line, one number is one key; traps 2 and 4."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import msgspec
import orjson
import pytest

from dynamodb_core import numbers
from dynamodb_core.converter import Converter
from dynamodb_core.encode import ENCODERS
from dynamodb_core.errors import DataError
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.table import Key


def raws(*items: dict[str, Any]) -> list[msgspec.Raw]:
    return [msgspec.Raw(orjson.dumps(item)) for item in items]


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        (" 5", "5"),
        ("-00.10e+07", "-0.10E+07"),
    ],
)
def test_numbers_that_are_none_in_json_are_normalised(text: str, spelled: str) -> None:
    assert numbers.literal(text) == spelled
    assert Decimal(spelled) == Decimal(text)
    converted = Converter(Columns({"n": "N"})).convert(raws({"n": {"N": text}}))
    assert converted.records == [f'{{"n":{spelled}}}'.encode()]


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "-", "e5", "NaN", "Infinity", "-inf", "1,2", "[1]", "null", "true", '"1"', "1_0",
        "0x1", "\u0663", "1 2", "1,\n2", "1e", "--1", "1;2", "1}", '1,"x":2',
    ],
)  # fmt: skip
def test_what_is_no_number_never_reaches_a_line(text: str) -> None:
    with pytest.raises(DataError):
        numbers.literal(text)
    for others in ([], ["1"], ["1", "2"]):
        items = raws(*({"n": {"N": one}} for one in [*others, text]))
        for layout in (Columns({"n": "N"}), Packed({"n": "N"}), Typed({"n": "N"})):
            with pytest.raises(DataError):
                Converter(layout).convert(items)


def test_a_number_never_breaks_a_line() -> None:
    for text in ("5\n", "\r5", "5\t"):
        assert Converter(Columns({"n": "N"})).convert(raws({"n": {"N": text}})).records == [
            b'{"n":5}'
        ]


def test_every_digit_is_read_and_written() -> None:
    for text in ("9" * 38, "0." + "3" * 38, "1E-130", "9." + "9" * 37 + "E+125", "1" * 39):
        converted = Converter(Columns({"n": "N"})).convert(raws({"n": {"N": text}}))
        assert converted.records == [f'{{"n":{text}}}'.encode()]
    with localcontext() as context:
        context.prec = 5
        assert numbers.from_python(Decimal("9" * 38)) == "9" * 38
        assert numbers.canonical("1" * 38 + "0e0") == "1" * 38 + "0"


@pytest.mark.parametrize(
    "value",
    [
        10**38 + 1, Decimal("1." + "1" * 38), "1" * 39, 10**126, 10**5000, Decimal("1E126"), 1e300,
        Decimal("1E-131"), Decimal("1.1E-131"), 5e-324, float("nan"), float("inf"), Decimal("NaN"),
        Decimal("-Infinity"), Decimal("sNaN"), True, "NaN", "", "x", None, [],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_numbers_that_dynamodb_cannot_hold_are_refused(value: object) -> None:
    with pytest.raises(DataError, match="/n"):
        ENCODERS["N"](value, "/n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10**125, "1" + "0" * 125), (-(10**38), "-1" + "0" * 38), (0, "0"), (0.1, "0.1"),
        (1e22, "1e+22"), (Decimal("1E+2"), "1E+2"), (Decimal("0E-200"), "0"), ("1.50", "1.50"),
        (Decimal("1E-130"), "1E-130"), (Decimal("1." + "0" * 60), "1." + "0" * 60),
    ],
)  # fmt: skip
def test_numbers_are_written_as_they_are(value: object, text: str) -> None:
    assert ENCODERS["N"](value, "/n") == {"N": text}


def test_spellings_of_one_number_are_one_key() -> None:
    key = Key(("n",), ("N",))
    for same in (
        ["1", "1.0", "1e0", "+1", "01", "10E-1"],
        ["100", "1E2", "1e+2", "100.00"],
        ["0", "-0", "0.0", "0E5"],
        ["-0.5", "-.5", "-5E-1"],
        ["12345678901234567890123456789012345678", "1.2345678901234567890123456789012345678E37"],
    ):
        assert len({key.identity({"n": {"N": text}}) for text in same}) == 1
    many = ["1", "10", "1E1", "-1", "0.1", "12345678901234567890123456789012345678"]
    many += ["12345678901234567890123456789012345679"]
    assert len({key.identity({"n": {"N": text}}) for text in many}) == len(many) - 1


def test_key_digits_are_written_out_in_full() -> None:
    assert numbers.plain_digits("1E2") == "100"
    assert numbers.plain_digits("-1.50e-3") == "-0.0015"
    assert numbers.plain_digits("-0") == "0"
    assert numbers.plain_digits("1E-130") == "0." + "0" * 129 + "1"
    assert numbers.plain_digits("9.9E125") == "99" + "0" * 124


def test_an_integer_of_64_bits_is_an_int_and_others_are_decimals() -> None:
    for text in ("0", "9223372036854775807", "-9223372036854775808"):
        assert type(numbers.to_python(text)) is int
    for text in ("9223372036854775808", "-9223372036854775809", "1.0", "1E2", "1" * 38):
        assert type(numbers.to_python(text)) is Decimal
