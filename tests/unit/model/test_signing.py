"""Signatures of announcements: what is signed cannot be changed, and keys are kept from others."""

import base64
import os
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import SecretStr

from schemas import ModelAnnouncement, decode, encode
from stream.errors import ConfigError, ModelError
from stream.model.signing import TrustedKeys, new_key, signing_key, trusted_keys
from stream.settings import LearningSettings, ModelSettings

MESSAGE = ModelAnnouncement(
    version="abc",
    number=7,
    location="/models/versions/000007",
    manifest_digest="0" * 64,
    announced_by="anna",
)
# Each field of an announcement with another value than MESSAGE has.
CHANGES = {
    "role": "canary",
    "version": "abd",
    "number": 8,
    "location": "/models/versions/000008",
    "manifest_digest": "1" * 64,
    "canary_share": 0.1,
    "announced_at": MESSAGE.announced_at + timedelta(microseconds=1),
    "announced_by": "ann",
}


@pytest.fixture
def key():
    return new_key()


@pytest.fixture
def trusted(key):
    return TrustedKeys([key.public])


def test_a_signature_survives_the_way_over_kafka(key, trusted):
    trusted.check(decode(ModelAnnouncement, encode(key.sign(MESSAGE))))


def test_a_signature_is_of_the_moment_and_not_of_its_spelling(key, trusted):
    at = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=3)))
    signed = key.sign(MESSAGE.model_copy(update={"announced_at": at}))
    trusted.check(signed.model_copy(update={"announced_at": elsewhere}))


def test_every_field_is_signed():
    unsigned = {"signature", "schema_version"}
    assert set(ModelAnnouncement.model_fields) - unsigned == set(CHANGES)


@pytest.mark.parametrize("field", CHANGES)
def test_a_change_of_any_field_breaks_the_signature(key, trusted, field):
    changed = key.sign(MESSAGE).model_copy(update={field: CHANGES[field]})
    with pytest.raises(ModelError, match="signature is wrong"):
        trusted.check(changed)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("", "not signed"),
        ("nobody:AAAA", "not trusted here"),
        ("{id}:", "signature is wrong"),
        ("{id}:AAAA", "signature is wrong"),
        ("{id}:ключ", "signature is wrong"),
        ("{id}", "signature is wrong"),
    ],
)
def test_what_is_no_signature_of_a_trusted_key_is_refused(key, trusted, signature, words):
    message = MESSAGE.model_copy(update={"signature": signature.format(id=key.id)})
    with pytest.raises(ModelError, match=words):
        trusted.check(message)


def test_two_keys_are_trusted_while_one_takes_over_from_the_other(key, trusted):
    successor = new_key()
    both = TrustedKeys([key.public, successor.public])
    both.check(key.sign(MESSAGE))
    both.check(successor.sign(MESSAGE))
    with pytest.raises(ModelError):
        trusted.check(successor.sign(MESSAGE))


def test_without_a_key_everything_passes():
    TrustedKeys([]).check(MESSAGE)
    assert not TrustedKeys([])


def test_keys_come_from_settings_or_files(key, tmp_path):
    path = tmp_path / "keys" / "model-signing.key"
    key.save(path)
    (tmp_path / "trusted").write_text(f"# trainer 1\n\n{key.public_text}\n")
    assert path.stat().st_mode & 0o777 == 0o600
    from_file = signing_key(LearningSettings(signing_key_file=path))
    from_setting = signing_key(LearningSettings(signing_key=SecretStr(path.read_text())))
    assert from_file.public == from_setting.public == key.public
    for settings in (
        ModelSettings(trusted_keys=(key.public_text,)),
        ModelSettings(trusted_keys_file=tmp_path / "trusted"),
    ):
        trusted_keys(settings).check(from_file.sign(MESSAGE))
    assert signing_key(LearningSettings()) is None


def test_a_private_key_is_never_replaced(key, tmp_path):
    key.save(tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(FileExistsError):
        new_key().save(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_private_key_that_others_may_read_is_not_used(key, tmp_path, mode):
    path = tmp_path / "key"
    key.save(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="other accounts") as caught:
        signing_key(LearningSettings(signing_key_file=path))
    assert "chmod 600" in caught.value.remedy


def test_trusted_keys_that_others_may_write_are_not_used(key, tmp_path):
    path = tmp_path / "trusted"
    path.write_text(key.public_text)
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="other accounts"):
        trusted_keys(ModelSettings(trusted_keys_file=path))


@pytest.mark.parametrize(
    "text", ["", "sekret", base64.b64encode(b"sekret" * 3).decode(), "ключ", "=" * 44]
)
def test_a_wrong_key_is_refused_and_never_quoted(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    for read in (
        lambda: signing_key(LearningSettings(signing_key_file=path)),
        lambda: trusted_keys(ModelSettings(trusted_keys_file=path)),
        lambda: trusted_keys(ModelSettings(trusted_keys=("sekret",))),
    ):
        with pytest.raises(ConfigError) as caught:
            read()
        assert not text or text not in caught.value.message
        assert "keygen" in caught.value.remedy


def test_a_trusted_file_that_is_named_and_absent_is_no_way_to_go_unsigned(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        trusted_keys(ModelSettings(trusted_keys_file=tmp_path / "nowhere"))
    (tmp_path / "empty").write_text("# nobody yet\n")
    with pytest.raises(ConfigError, match="holds no key"):
        trusted_keys(ModelSettings(trusted_keys_file=tmp_path / "empty"))


def test_a_key_file_that_is_a_link_is_read_and_one_is_never_written_through(key, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="exists"):
        key.save(tmp_path / "link")
    assert not os.path.lexists(tmp_path / "target")
