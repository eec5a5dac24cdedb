from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import EndpointConnectionError

from demo import guard
from demo.wire import Wire


def test_environment_keeps_nothing_of_a_person() -> None:
    mine = {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SESSION_TOKEN": "real",
        "AWS_PROFILE": "production",
        "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.eu-west-1.amazonaws.com",
        "aws_container_credentials_full_uri": "http://169.254.170.2/",
    }
    clean = guard.environment(mine)
    assert clean["PATH"] == "/bin"
    assert not {"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL_DYNAMODB"} & clean.keys()
    assert "aws_container_credentials_full_uri" not in clean
    assert clean["AWS_ACCESS_KEY_ID"] == guard.ACCESS_KEY_ID
    assert not Path(clean["AWS_CONFIG_FILE"]).exists()
    assert not Path(clean["AWS_SHARED_CREDENTIALS_FILE"]).exists()
    assert clean["AWS_EC2_METADATA_DISABLED"] == "true"


def test_this_process_runs_in_the_clean_environment() -> None:
    assert {name: v for name, v in os.environ.items() if name.startswith("AWS_")} == {
        name: v for name, v in guard.environment().items() if name.startswith("AWS_")
    }


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000", "http://localhost:1", "http://[::1]:80", "https://127.8.9.10/path"],
)
def test_loopback_passes(url: str) -> None:
    assert guard.loopback(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://dynamodb.eu-west-1.amazonaws.com",
        "http://0.0.0.0:8000",
        "http://10.0.0.1:8000",
        "http://169.254.169.254",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://user@example.com#@127.0.0.1",
        "127.0.0.1:8000",
        "",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    with pytest.raises(guard.NotLoopbackError):
        guard.loopback(url)
    with pytest.raises(guard.NotLoopbackError):
        Wire(url)


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80)])
def test_sockets_connect_to_loopback_only(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(guard.NotLoopbackError):
        sock.connect(address)
    with socket.socket(family) as sock, pytest.raises(guard.NotLoopbackError):
        sock.connect_ex(address)


def test_names_of_others_are_not_looked_up() -> None:
    with pytest.raises(guard.NotLoopbackError):
        socket.getaddrinfo("dynamodb.eu-west-1.amazonaws.com", 443)


def test_a_client_without_endpoint_finds_a_closed_port() -> None:
    script = (
        "import botocore.session\n"
        "client = botocore.session.Session().create_client('dynamodb')\n"
        "print(client.meta.endpoint_url)"
    )
    command = [sys.executable, "-c", script]
    environment = guard.environment()
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == guard.NOWHERE
    client: Any = botocore.session.Session().create_client("dynamodb")
    with pytest.raises(EndpointConnectionError):
        client.list_tables()
    client.close()
