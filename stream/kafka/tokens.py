"""Bearer tokens for SASL/OAUTHBEARER, asked for anew at every connection.

aiokafka authenticates once a connection and does not do it again on an open one (KIP-368): a token
that runs out is replaced when the next connection is made. A broker that ends sessions with their
token (``connections.max.reauth.ms``) closes the connection, and the client comes back with a new
one.
"""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import Final

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import AuthenticationFailedError

from stream.errors import ConfigError
from stream.settings import KafkaSettings

# An identity provider answers within a second; a client's own request time-out is 10 s.
COMMAND_SECONDS: Final = 8.0


class FixedToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """A token that the deployment renews by restarting us."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        """Return it."""
        return self._token


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """A file that somebody keeps fresh, as Kubernetes does with a projected service account."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """Return what the file holds now.

        Raises:
            AuthenticationFailedError: it cannot be read, or is empty.
        """
        try:
            token = (await asyncio.to_thread(self._path.read_text, "utf-8")).strip()
        except OSError as error:
            raise AuthenticationFailedError(f"the token file: {error}") from None
        return _present(token, str(self._path))


class TokenCommand(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """A program that prints a token: whatever the identity provider's own client is.

    Args:
        command: program and arguments. No shell reads it.
    """

    def __init__(self, command: str) -> None:
        self._words = shlex.split(command)

    async def token(self) -> str:
        """Return what the program prints.

        Raises:
            AuthenticationFailedError: it fails, prints nothing, or is too slow.
        """
        program = self._words[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
            )
        except OSError as error:
            raise AuthenticationFailedError(f"the token command: {error}") from None
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                printed, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AuthenticationFailedError(f"{program} gave no token in time") from None
        if process.returncode != 0:
            raise AuthenticationFailedError(f"{program} ended with {process.returncode}")
        return _present(printed.decode("utf-8", "replace").strip(), program)


def token_provider(kafka: KafkaSettings) -> AbstractTokenProvider:
    """Return where tokens come from: a command, a file, or one that was given.

    Raises:
        ConfigError: none of the three is set, or the command is none.
    """
    if kafka.sasl_oauth_token_command:
        try:
            return TokenCommand(kafka.sasl_oauth_token_command)
        except ValueError as error:
            raise ConfigError(
                f"kafka.sasl_oauth_token_command: {error}", "close what is quoted in it"
            ) from None
    if kafka.sasl_oauth_token_file is not None:
        return TokenFile(kafka.sasl_oauth_token_file)
    if kafka.sasl_oauth_token is not None:
        return FixedToken(kafka.sasl_oauth_token.get_secret_value())
    raise ConfigError(
        "OAUTHBEARER needs a token",
        "set REVIEWS_KAFKA__SASL_OAUTH_TOKEN_FILE, ..._TOKEN_COMMAND or ..._TOKEN",
    )


def _present(token: str, origin: str) -> str:
    if not token or any(c.isspace() for c in token):
        raise AuthenticationFailedError(f"{origin} holds no token")
    return token
