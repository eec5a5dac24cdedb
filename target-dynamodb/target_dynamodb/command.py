"""The SDK's frame of the command line: its options become a target, its errors become ours."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, ClassVar

from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TargetCapabilities
from singer_sdk.target_base import Target

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import discreet

if TYPE_CHECKING:
    import click
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput


class CommandTarget(Target):
    """A target whose command line names what is wrong in a line, and not by a traceback."""

    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.BATCH,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.HARD_DELETE,
        TargetCapabilities.VALIDATE_RECORDS,
    ]

    def load(self, file_input: IO[str] | None = None) -> None:
        """Read messages to the end of the input, and write them.

        Args:
            file_input: Where the messages are; standard input when None.

        Raises:
            Error: Something failed.
        """
        raise NotImplementedError

    @classmethod
    def invoke(  # type: ignore[override] # as the SDK's own
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: IO[str] | None = None,
    ) -> None:
        """Run the target, as the command line says.

        Args:
            about: Only print what there is to know about the target.
            about_format: `json` or `markdown`.
            config: The configuration.
            file_input: Where the messages are; standard input when None.
        """
        if about:
            super().invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        target = cls(
            config=config.config if config else {},
            parse_env_config=config.parse_env if config else False,
        )
        target.load(file_input)

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the configuration files.

        Args:
            ctx: The command's context.
            param: The option.
            value: Paths, or `ENV`.

        Raises:
            ConfigError: A file is missing or is no JSON object.
        """
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"The configuration {', '.join(value)} cannot be read: {error}".rstrip(". "),
                "--config takes the path of a JSON file, or ENV",
            ) from error

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        try:
            return super()._validate_config(raise_errors=raise_errors)
        except ConfigValidationError as error:
            raise ConfigError(
                f"The configuration is not valid: {'; '.join(map(discreet, error.errors))}",
                "target-dynamodb --about shows every setting",
            ) from error
