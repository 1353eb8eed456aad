"""`reviews acl` without a broker: what it prints is what Kafka's own tool takes."""

import json
import shlex

from stream.acl import ROLES
from tests.support.command_line import reviews


def test_lines_are_those_of_kafkas_own_tool():
    printed = reviews("acl", "trainer", "--prefix", "shop").stdout.splitlines()
    words = [shlex.split(line) for line in printed]
    assert {line[0] for line in words} == {"kafka-acls.sh"}
    assert any("shop.models" in line and "Write" in line for line in words)


def test_a_program_reads_rights_as_json():
    found = json.loads(reviews("acl", "producer", "--json").stdout)
    assert found["principal"] == "User:reviews-producer"
    assert [rule["operations"] for rule in found["kafka"]] == [["write"]]


def test_an_unknown_role_is_answered_with_those_that_there_are():
    result = reviews("acl", "boss")
    assert result.returncode == 2
    assert all(role in result.stderr for role in ROLES)
