"""A schema registry of the tests: Confluent's interface, as far as consumers and producers use it."""

import asyncio
import json
from contextlib import asynccontextmanager

from aiohttp import web


class RegistryDouble:
    """Holds schemas, counts what it is asked, and can be out of order.

    ``failing``: the status that it answers everything with; ``login``: the Authorization that it wants;
    ``deleted``: subjects that were deleted softly.
    """

    def __init__(self):
        self.subjects = {}
        self.deleted = set()
        self.schemas = []
        self.asked = []
        self.failing = None
        self.login = None
        self.url = ""
        self._told = asyncio.Condition()

    async def was_asked(self, times):
        """Return once it was asked so often."""
        async with self._told:
            await self._told.wait_for(lambda: len(self.asked) >= times)

    def register(self, subject, schema, kind="AVRO", references=()):
        """Register a schema and return its id."""
        body = {"schema": schema if isinstance(schema, str) else json.dumps(schema)}
        if kind != "AVRO":
            body["schemaType"] = kind
        if references:
            body["references"] = [
                {"name": name, "subject": about, "version": version}
                for name, about, version in references
            ]
        self.schemas.append(body)
        self.subjects.setdefault(subject, []).append(body)
        return len(self.schemas)

    async def _refusal(self, request):
        async with self._told:
            self.asked.append(request.path)
            self._told.notify_all()
        if self.login is not None and request.headers.get("Authorization") != self.login:
            return web.json_response({"error_code": 401, "message": "Unauthorized"}, status=401)
        if self.failing is not None:
            return web.Response(status=self.failing, text="out of order")
        return None

    async def by_id(self, request):
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        number = int(request.match_info["id"])
        if not 0 < number <= len(self.schemas):
            return web.json_response({"error_code": 40403, "message": "not found"}, status=404)
        return web.json_response(self.schemas[number - 1])

    async def by_version(self, request):
        if (refusal := await self._refusal(request)) is not None:
            return refusal
        subject = request.match_info["subject"]
        there = subject not in self.deleted or request.query.get("deleted") == "true"
        versions = self.subjects.get(subject, []) if there else []
        number = int(request.match_info["version"])
        if not 0 < number <= len(versions):
            return web.json_response({"error_code": 40402, "message": "not found"}, status=404)
        return web.json_response(versions[number - 1])


@asynccontextmanager
async def running_registry(port=0, tls=None):
    """Run one on this machine, behind TLS if there is a context; yields it with its ``url``."""
    double = RegistryDouble()
    app = web.Application()
    app.router.add_get("/schemas/ids/{id}", double.by_id)
    app.router.add_get("/subjects/{subject}/versions/{version}", double.by_version)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
    await site.start()
    double.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        await runner.cleanup()
