"""Proxies in front of Redis, as people run them: twemproxy and Envoy."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import redis

from deploy.local.ports import free_ports

START_SECONDS: Final = 60
_TWEMPROXY: Final = """\
redis:
  listen: 127.0.0.1:{front}
  redis: true
  servers:
   - 127.0.0.1:{back}:1
"""
_ENVOY: Final = """\
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {front}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.redis_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy
          stat_prefix: redis
          settings: {{op_timeout: 5s}}
          prefix_routes: {{catch_all_route: {{cluster: redis}}}}
  clusters:
  - name: redis
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: redis
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {back}}}}}}}
"""


def _twemproxy(config: Path) -> list[str]:
    (statistics,) = free_ports(1)
    return ["-c", str(config), "-a", "127.0.0.1", "-s", str(statistics)]


def _envoy(config: Path) -> list[str]:
    return ["-c", str(config), "--disable-hot-restart", "--concurrency", "1"]


_PROXIES: Final[Mapping[str, tuple[str, Callable[[Path], Sequence[str]]]]] = {
    "nutcracker": (_TWEMPROXY, _twemproxy),
    "envoy": (_ENVOY, _envoy),
}


@contextlib.contextmanager
def proxy_before(program: str, back: int, folder: Path) -> Iterator[str]:
    """Run a proxy in front of a Redis of this machine until the block ends; the URL of it.

    Args:
        program: ``nutcracker`` or ``envoy``.
        back: Redis' port.
        folder: its own.
    """
    (front,) = free_ports(1)
    template, arguments = _PROXIES[program]
    config = folder / f"{program}.yaml"
    config.write_text(template.format(front=front, back=back))
    found = shutil.which(program)
    assert found is not None
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen([found, *arguments(config)], stdout=log, stderr=log)
        try:
            _until_it_answers(front, process)
            yield f"redis://127.0.0.1:{front}/0"
        finally:
            process.kill()
            process.wait()


def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis(port=port, protocol=2, driver_info=None) as client:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError):
                client.ping()
                return
            time.sleep(0.05)
    raise RuntimeError(f"no proxy: {process.args}")
