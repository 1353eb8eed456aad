"""TLS to servers that we are clients of."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import SecretStr

from stream.errors import ConfigError


def client_context(
    whom: str,
    section: str,
    *,
    authority: Path | None,
    certificate: Path | None = None,
    key: Path | None = None,
    key_password: SecretStr | None = None,
) -> ssl.SSLContext:
    """Return what a client of a server needs.

    Args:
        whom: the server, as a person calls it.
        section: of the settings that name the files.
        authority: PEM file of whom to trust; None: those that the system trusts.
        certificate: PEM file of our own, for mutual TLS.
        key: PEM file of its key; None: it stands in the certificate's.
        key_password: that the key is encrypted with.

    Raises:
        ConfigError: a file cannot be used.
    """

    def password() -> str:
        # Asked for an encrypted key alone. OpenSSL would ask whoever sits at the terminal.
        if key_password is None:
            raise OSError(
                f"the key in {key or certificate} is encrypted, and there is no password for it"
            )
        return key_password.get_secret_value()

    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate is not None:
            context.load_cert_chain(certificate, key, password)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"TLS to {whom}: {error}", f"check the {section}.ssl_* files in `reviews config`"
        ) from None
    return context
