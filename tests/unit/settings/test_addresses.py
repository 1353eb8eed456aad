"""Addresses of brokers as people write them."""

import pytest

from stream.errors import ConfigError
from stream.settings import load_settings


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("host:9093", "host:9093"),
        ("host", "host:9092"),
        (" a:1 , b:2 ,", "a:1,b:2"),
        ("a:1\n b:2", "a:1,b:2"),
        ("a:1,a:1", "a:1"),
        ("PLAINTEXT://host:9093/", "host:9093"),
        ("EXTERNAL://host", "host:9092"),
        ("[::1]:9093", "[::1]:9093"),
        ("::1", "[::1]:9092"),
        ("b-1.example.com:98;b-2.example.com:98", "b-1.example.com:98,b-2.example.com:98"),
        ("kafka_1:9092", "kafka_1:9092"),
    ],
)
def test_an_address_is_understood_as_it_is_meant(written, meant):
    assert load_settings(kafka={"bootstrap_servers": written}).kafka.bootstrap_servers == meant


@pytest.mark.parametrize("written", ["", " , ", "host:x", "host:70000", "[::1", "-"])
def test_what_is_no_address_is_refused_at_once(written):
    with pytest.raises(ConfigError, match="host:9092"):
        load_settings(kafka={"bootstrap_servers": written})


def test_an_address_may_say_how_to_speak_with_the_broker():
    kafka = load_settings(kafka={"bootstrap_servers": "SSL://host:9093"}).kafka
    assert (kafka.bootstrap_servers, kafka.security_protocol) == ("host:9093", "SSL")


def test_an_address_that_contradicts_the_protocol_is_refused():
    with pytest.raises(ConfigError, match="SASL_SSL"):
        load_settings(kafka={"bootstrap_servers": "SASL_SSL://h:1", "security_protocol": "SSL"})
