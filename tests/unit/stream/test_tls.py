"""TLS to servers: files that cannot be used are said to be so, and nobody is asked for a password."""

import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from stream.errors import ConfigError
from stream.schema_registry.registry import SchemaRegistry
from stream.settings.schema_registry import SchemaRegistrySettings
from stream.tls import client_context
from tests.support.certificates import Authority


@pytest.fixture
def files(tmp_path):
    """Return authority, certificate, and its key, encrypted with the password `geheim`."""
    authority = Authority(tmp_path)
    authority.issue("client")
    plain = (tmp_path / "client.key").read_bytes()
    encrypted = serialization.load_pem_private_key(plain, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"geheim"),
    )
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    return {
        "authority": authority.file,
        "certificate": tmp_path / "client.crt",
        "key": tmp_path / "encrypted.key",
    }


def test_an_encrypted_key_is_read_with_its_password(files):
    context = client_context("Kafka", "kafka", **files, key_password=SecretStr("geheim"))
    assert context.check_hostname


def test_the_schema_registry_is_shown_a_certificate_whose_key_is_encrypted(files):
    settings = SchemaRegistrySettings(
        url=["https://registry:8081"],
        ssl_ca_file=files["authority"],
        ssl_cert_file=files["certificate"],
        ssl_key_file=files["key"],
        ssl_key_password="geheim",
    )
    SchemaRegistry(settings)
    with pytest.raises(ConfigError, match=r"TLS to the schema registry.*encrypted"):
        SchemaRegistry(settings.model_copy(update={"ssl_key_password": None}))


def test_nobody_is_asked_at_the_terminal_for_a_password_that_is_not_set(files):
    with pytest.raises(ConfigError, match=r"encrypted\.key is encrypted, and there is no password"):
        client_context("Kafka", "kafka", **files)


def test_a_file_that_cannot_be_used_names_server_and_settings(tmp_path):
    with pytest.raises(ConfigError, match="TLS to the schema registry") as raised:
        client_context("the schema registry", "schema_registry", authority=tmp_path / "absent.pem")
    assert "schema_registry.ssl_*" in raised.value.remedy
