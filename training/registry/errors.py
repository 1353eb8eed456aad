"""What the registry raises on purpose.

::

    RegistryError(TrainingError)    the registry cannot do what was asked             exit 1
    ├── RefusedByGate               the gate refused this version                     exit 1
    ├── UnknownVersion              there is no such number or name                   exit 2
    ├── OtherTaxonomy               the version has other categories                  exit 3
    ├── RegistryDamaged             a stored model is not what was stored             exit 3
    └── NothingToRollBack           no other version has served before                exit 1
"""

from __future__ import annotations

from training.errors import TrainingError


class RegistryError(TrainingError):
    """The registry cannot do what was asked."""


class RefusedByGate(RegistryError):
    """The gate refused the version, and nobody said why it should serve all the same."""


class UnknownVersion(RegistryError):
    """There is no such number or name in the registry."""

    exit_code = 2


class OtherTaxonomy(RegistryError):
    """The version sorts by other categories than those of the active taxonomy."""

    exit_code = 3


class RegistryDamaged(RegistryError):
    """A stored model, or the registry's own file, is not what was stored."""

    exit_code = 3


class NothingToRollBack(RegistryError):
    """No other version has been champion before."""
