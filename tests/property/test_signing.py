"""Our signature is botocore's, for any body, time, keys and headers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamodb_core.signing import Scope, Signer, host

printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)
words = printable.filter(str.strip)
keys = st.builds(
    Credentials,
    access_key=st.text("ABCDEFGHIJ0123456789", min_size=4, max_size=24),
    secret_key=st.text(min_size=1, max_size=50).filter(lambda text: text.isprintable()),
    token=st.none() | words,
)
names = st.sampled_from(
    ("content-type", "x-amz-target", "x-amz-e", "x-amz-security-tokens", "x-amz-dates", "a", "z-z")
)
urls = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(("http", "https")),
    st.sampled_from(("dynamodb.eu-west-1.amazonaws.com", "LocalHost", "127.0.0.1", "[::1]")),
    st.sampled_from(("", ":80", ":443", ":8000")),
    st.sampled_from(("/", "/prefix", "/a/b-c_d.e~f/")),
)


@settings(max_examples=60, deadline=None)
@given(
    url=urls,
    headers=st.dictionaries(names, words, max_size=4),
    region=st.sampled_from(("eu-west-1", "us-gov-east-1")),
    calls=st.lists(
        st.tuples(
            st.binary(max_size=300),
            keys,
            st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001 - as botocore's
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_it_is_what_botocore_signs(
    url: str,
    headers: dict[str, str],
    region: str,
    calls: list[tuple[bytes, Any, datetime]],
) -> None:
    """One signer signs for several keys and days in turn, as in a run that outlives both."""
    signer = Signer(url, headers, Scope(region, "dynamodb"))
    for body, signing, moment in calls:
        request = AWSRequest("POST", url, headers, body)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("botocore.auth.get_current_datetime", lambda moment=moment: moment)
            SigV4Auth(signing, "dynamodb", region).add_auth(request)
        stamp = f"{moment:%Y%m%dT%H%M%SZ}"
        assert request.headers["X-Amz-Date"] == stamp
        assert signer.authorization(body, signing, stamp) == request.headers["Authorization"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com/", "dynamodb.eu-west-1.amazonaws.com"),
        ("https://dynamodb.eu-west-1.amazonaws.com:443/", "dynamodb.eu-west-1.amazonaws.com"),
        ("http://Engine.Internal:443/", "engine.internal:443"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("http://user:secret@localhost/", "localhost"),
    ],
)
def test_the_host_is_told_without_what_goes_without_saying(url: str, expected: str) -> None:
    assert host(url) == expected
