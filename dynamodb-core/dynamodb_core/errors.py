"""What can go wrong, ordered by what the user can do about it.

::

Error:
    ├── ConfigError          change the configuration
    │   ├── TableNotFound    name another table, region or endpoint
    │   ├── StreamNotFound   name another stream, or turn it on
    │   └── KeyMismatch      the table's key is not the stream's key
    ├── AccessError          credentials or permissions
    ├── EndpointError        the service cannot be reached
    ├── DataError            an item or record that cannot be read or written
    ├── StateError           the state does not fit this run: start over, or undo the change
    │   └── HistoryLost      changes are gone before they were read: start over
    ├── ServiceError         DynamoDB failed after every retry: run again
    │   └── CorruptReply     an answer arrived damaged, again and again
    └── PartLost             a part ended without saying that it is finished: run again

Every error says what happened, to what (table, part, key, path), and what to do next. Only these
are shown to the user as one line; anything else is a defect of ours and keeps its traceback.
"""

from __future__ import annotations


class Error(Exception):
    """An error with a message for the user and a hint what to do about it.

    Args:
        message: What happened and to what, as a sentence without its full stop.
        hint: What the user can do, as a sentence without its full stop; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return message and hint as one line."""
        text = f"{self.message}. {self.hint}." if self.hint else f"{self.message}."
        return " ".join(text.split())


class ConfigError(Error):
    """A setting is wrong, or two settings contradict each other."""


class TableNotFound(ConfigError):
    """The table does not exist in this account and region."""


class StreamNotFound(ConfigError):
    """The stream, or a shard of it, does not exist in this account and region."""


class KeyMismatch(ConfigError):
    """An existing table has another primary key than the records."""


class AccessError(Error):
    """There are no credentials, or they do not allow the call."""


class EndpointError(Error):
    """The service could not be reached at its endpoint."""


class DataError(Error):
    """An item or a record cannot be read or written; the message names it by key and path."""


class StateError(Error):
    """The state belongs to another table or another kind of run."""


class HistoryLost(StateError):
    """Changes that were to be read are not there any more; the message names the shard and the hole."""


class ServiceError(Error):
    """DynamoDB refused or failed a call after every retry.

    Args:
        message: What happened and to what.
        hint: What the user can do.
        code: DynamoDB's error code, for example `ThrottlingException`.
    """

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


class CorruptReply(ServiceError):
    """An answer's checksum, length or form is wrong, after every retry."""


class PartLost(Error):
    """A part of a source ended without a block that says it is finished."""
