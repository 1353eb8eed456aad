"""Writes ``kafka.lock.json`` anew: ``python -m deploy.local.pin`` after a change of version.

Resolves Kafka's dependencies with jgo and records each jar's digest. Look at the difference before
committing it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Final

import jgo

from deploy.local.jars import KAFKA_VERSION, LOCK_FILE

KAFKA: Final = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"

# Kafka logs through SLF4J 1.7 and brings Log4j 2.25.4 but nothing between the two. Resolved
# alone: in one resolution its parent would govern the versions of Kafka's own dependencies.
BINDING: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"


def main() -> None:
    """Resolve, fetch, hash, write."""
    entries = []
    for artifact in [*jgo.resolve(KAFKA), jgo.resolve(BINDING)[0]]:
        data = artifact.resolve().read_bytes()
        entries.append(
            {
                "coordinate": f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}",
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": len(data),
            }
        )
        sys.stderr.write(f"{entries[-1]['coordinate']}\n")
    LOCK_FILE.write_text(json.dumps({"jars": entries}, indent=1) + "\n")


if __name__ == "__main__":
    main()
