"""Kinds of values that several sections of the settings share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
)
from pydantic_settings import NoDecode

BUNDLED_MODEL: Final = Path(__file__).resolve().parents[2] / "deploy" / "model"
EMBEDDED_REDIS: Final = Path(".reviews/redis/redis.sock")
"""Socket of the Redis that `reviews up` starts, as seen from the folder that it was started in."""
USUAL_REDIS: Final = "redis://127.0.0.1:6379/0"
SENTINEL_SCHEMES: Final = {"redis+sentinel": False, "rediss+sentinel": True}
"""Schemes of addresses that name sentinels, and whether they mean TLS."""
LEAST_KEY: Final = 16

PositiveInt = Annotated[int, Field(gt=0)]
PositiveSeconds = Annotated[float, Field(gt=0)]


def _ordered(levels: tuple[float, float]) -> tuple[float, float]:
    if levels[1] > levels[0]:
        raise ValueError("an alert is cleared at a level below the one that raises it")
    return levels


def listed(given: Any) -> Any:
    """Return the values of a list that is written as a text, as in the environment.

    Raises:
        ValueError: it begins as JSON, and is none.
    """
    if not isinstance(given, str):
        return given
    if not given.lstrip().startswith("["):
        return tuple(value for part in given.split(",") if (value := part.strip()))
    try:
        return json.loads(given)
    except ValueError:
        raise ValueError('a list is written with commas, or as JSON: ["a", "b"]') from None


def nearest_redis() -> SecretStr:
    """Return the address of the Redis that was started in this folder, or else the usual one."""
    if EMBEDDED_REDIS.is_socket():
        return SecretStr(f"unix://{quote(str(EMBEDDED_REDIS.resolve()))}")
    return SecretStr(USUAL_REDIS)


def checked_redis_url(url: SecretStr | None) -> SecretStr | None:
    """Refuse what is no address of a Redis; the message never holds any of it."""
    if url is None or not url.get_secret_value():
        return url
    try:
        parts = urlsplit(url.get_secret_value())
        usable = _is_redis(parts)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            "not a redis://, rediss://, unix:// or redis+sentinel://host,host/service URL; a "
            "password's special characters are written percent-encoded"
        )
    return url


def _is_redis(parts: SplitResult) -> bool:
    if parts.scheme in SENTINEL_SCHEMES:
        service, _, database = parts.path.strip("/").partition("/")
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        named = all(host.hostname and host.port != 0 for host in hosts)
        return bool(service) and named and (not database or database.isdecimal())
    return parts.scheme in {"redis", "rediss", "unix"} and parts.port != 0


def checked_sealing_key(key: SecretStr | None) -> SecretStr | None:
    """Refuse a key that is too short; an empty one is none."""
    if key is None or not key.get_secret_value():
        return None  # a container's variable that nobody set
    if len(key.get_secret_value()) < LEAST_KEY:
        raise ValueError(f"a key has {LEAST_KEY} characters or more")
    return key


Levels = Annotated[tuple[float, float], NoDecode, BeforeValidator(listed), AfterValidator(_ordered)]
"""Where an alert is raised, and where it is cleared."""

Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)]
Paths = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(listed)]


class Section(BaseModel):
    """One section of the settings: no unknown option, none that changes later, no number without end."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
