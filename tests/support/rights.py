"""Asking a broker what a user may do, one request an answer, without a client's own retries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.admin import CreateAclsRequest, CreateTopicsRequest, DeleteTopicsRequest
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.acl.rules import ALLOW, Operation, Pattern, Resource
from stream.kafka.connection import connection_options, start
from stream.settings import KafkaSettings

# Of Kafka's protocol: TOPIC_, GROUP_, CLUSTER_ and TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
_REFUSED = {29, 30, 31, 53}
_TIMEOUT_MS = 10_000


class Rights:
    """What one user may do. Every answer but "not authorized" counts as allowed."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def may_read(self, topic: str) -> bool:
        request = FetchRequest(0, 0, 1_000, 1, [(topic, [(0, 0, 1_000)])])
        response = await self._ask(request)
        ((_, (partition,)),) = response.topics
        return partition[1] not in _REFUSED

    async def may_write(self, topic: str) -> bool:
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1_000)
        builder.append(0, 0, b"probe", b"probe", [])
        batch = bytes(builder.build())
        response = await self._ask(ProduceRequest(None, -1, _TIMEOUT_MS, [(topic, [(0, batch)])]))
        ((_, (partition,)),) = response.topics
        return partition[1] not in _REFUSED

    async def may_create(self, topic: str) -> bool:
        asked = [(topic, 1, 1, [], [])]
        response = await self._ask(CreateTopicsRequest(asked, _TIMEOUT_MS, validate_only=True))
        ((_, code, *_),) = response.topic_errors
        return code not in _REFUSED

    async def may_delete(self, topic: str) -> bool:
        response = await self._ask(DeleteTopicsRequest([topic], _TIMEOUT_MS))
        ((_, code, *_),) = response.topic_error_codes
        return code not in _REFUSED

    async def may_join(self, group: str) -> bool:
        response = await self._ask(HeartbeatRequest(group, 0, "nobody"))
        return response.error_code not in _REFUSED

    async def may_use_transaction(self, transactional_id: str) -> bool:
        response = await self._ask(InitProducerIdRequest(transactional_id, _TIMEOUT_MS))
        return response.error_code not in _REFUSED

    async def may_grant(self) -> bool:
        response = await self._ask(
            CreateAclsRequest(
                Resource.TOPIC, "any", Pattern.LITERAL, "User:x", "*", Operation.READ, ALLOW
            )
        )
        ((code, _),) = response.creation_responses
        return code not in _REFUSED

    async def create(self, topic: str) -> None:
        await self._client.create_topics([NewTopic(topic, 1, 1)])

    async def _ask(self, request: Any) -> Any:
        return await self._client._send_request(request)


@contextlib.asynccontextmanager
async def rights_of(kafka: KafkaSettings) -> AsyncIterator[Rights]:
    """Come in as a user."""
    client = AIOKafkaAdminClient(**connection_options(kafka))
    await start(client, kafka)
    try:
        yield Rights(client)
    finally:
        await client.close()
