"""What every setting means and where its value comes from, taken from the settings model itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from stream.credentials import MASK, shown_address, shown_command
from stream.reports.markdown import table
from stream.settings import BUNDLED_MODEL, Settings, config_file
from stream.settings.mistakes import variable

_ABOUT: Final = (
    "Every option of the online half. The first that speaks wins: a command's own option, the "
    "environment, the TOML file that `REVIEWS_CONFIG` names (`reviews.toml` unless set), the "
    "default. `reviews config` shows what is in force and why. In the environment the values of a list "
    "are parted by commas, or it is JSON."
)


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One option as it is now."""

    name: str
    """``section.option``."""
    variable: str
    value: str
    """For people; a secret is masked."""
    origin: str
    """``default``, ``environment``, or the TOML file."""
    meaning: str


def settings_in_force(settings: Settings) -> Iterator[SettingInForce]:
    """Yield every option with its value and where that came from."""
    sources = {
        "environment": EnvSettingsSource(Settings)(),
        str(config_file()): TomlConfigSettingsSource(Settings, toml_file=config_file())(),
    }
    for section, option, field in _options():
        origin = next((o for o, given in sources.items() if _gives(given, section, option)), None)
        yield SettingInForce(
            name=f"{section}.{option}" if section else option,
            variable=variable(section, option),
            value=_shown(
                getattr(getattr(settings, section) if section else settings, option), option
            ),
            origin=origin or "default",
            meaning=_meaning(field),
        )


def reference_markdown() -> str:
    """Return the reference of all settings as Markdown, one table a section."""
    lines = ["# Settings", "", _ABOUT]
    for section, options in groupby(_options(), key=itemgetter(0)):
        rows = [
            (f"`{variable(section, option)}`", _default(field), _meaning(field))
            for _, option, field in options
        ]
        lines += ["", *_heading(section), *table(("environment", "default", "meaning"), rows)]
    return "\n".join(lines) + "\n"


def _heading(section: str) -> list[str]:
    if not section:
        return []
    model = Settings.model_fields[section].annotation
    about = (getattr(model, "__doc__", "") or "").strip().split("\n")[0]
    return [f"## {section}", "", about, ""]


def _options() -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield section, option and field; options of no section have an empty one."""
    for section, field in Settings.model_fields.items():
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for option, info in model.model_fields.items():
                yield section, option, info
        else:
            yield "", section, field


def _gives(given: dict[str, Any], section: str, option: str) -> bool:
    if not section:
        return option in given
    found = given.get(section)
    return isinstance(found, dict) and option in found


def _shown(value: object, option: str = "") -> str:
    """Return a value for people, without anything that signs in."""
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        return shown_address(secret) if "://" in secret else MASK if secret else ""
    if value is None:
        return ""
    text = str(value)
    if option.endswith("_command"):
        # A variable may be set before the program: "TOKEN=... get-token".
        return MASK if "=" in text.split(maxsplit=1)[0] else shown_command(text)
    return shown_address(text) if "://" in text else text


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "made at start"
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, tuple):
        # As it is written in the environment.
        return f"`{','.join(map(str, field.default))}`" if field.default else "none"
    if field.default == BUNDLED_MODEL:
        return "the bundled model"  # its path differs from machine to machine
    shown = _shown(field.default)
    return f"`{shown}`" if shown else "none"


def _meaning(field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split())
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    if not all(_is_named(choice, meaning) for choice in choices):
        meaning += f" One of: {', '.join(choices)}."
    return meaning


def _is_named(choice: str, text: str) -> bool:
    return choice in re.findall(r"[\w-]+", text)
