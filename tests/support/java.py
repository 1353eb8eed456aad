"""How the tests' brokers run Java."""

from typing import Final

SHORT_LIVED: Final = ("-XX:TieredStopAtLevel=1",)
"""Flags of a broker that lives for minutes: no second compiler optimises what will soon end.

Its start takes two thirds of the processor time, and the tests beside it get the rest.
"""
