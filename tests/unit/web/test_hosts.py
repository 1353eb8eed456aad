"""Where a web server listens, under which names it may be asked, and by whose pages."""

import pytest

from stream.errors import ConfigError
from stream.web.hosts import Hosts, is_loopback, refuse_clear_text

PUBLIC = "https://monitor.example"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_only_this_machine_reaches_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "monitor.example"])
def test_others_reach_everything_else(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("public_url", [None, "http://monitor.example"])
def test_beyond_loopback_nobody_signs_in_without_tls(public_url):
    with pytest.raises(ConfigError, match=r"on 0\.0\.0\.0 tokens would cross") as caught:
        refuse_clear_text("0.0.0.0", public_url, secrets="tokens", section="MONITOR")
    assert "REVIEWS_MONITOR__PUBLIC_URL" in str(caught.value.remedy)


@pytest.mark.parametrize(("host", "public_url"), [("127.0.0.1", None), ("0.0.0.0", PUBLIC)])
def test_loopback_and_a_proxy_with_tls_are_fine(host, public_url):
    refuse_clear_text(host, public_url, secrets="tokens", section="MONITOR")


@pytest.mark.parametrize("header", ["localhost:8500", "127.0.0.1", "[::1]:8500", "LOCALHOST"])
def test_on_loopback_its_own_names_are_known(header):
    assert Hosts("127.0.0.1", None).knows([header])


@pytest.mark.parametrize("headers", [["evil.example"], [], [""], ["localhost", "localhost"]])
def test_other_names_are_not(headers):
    assert not Hosts("127.0.0.1", None).knows(headers)


def test_beyond_loopback_only_the_public_name_is_known():
    hosts = Hosts("0.0.0.0", PUBLIC)
    assert hosts.knows(["monitor.example"])
    assert not hosts.knows(["127.0.0.1:8500"])


def test_a_change_of_our_own_page_and_of_a_script_is_taken():
    hosts = Hosts("0.0.0.0", PUBLIC)
    assert hosts.sent_it({"Host": "monitor.example"})
    assert hosts.sent_it({"Host": "inside:8500", "Origin": PUBLIC, "Sec-Fetch-Site": "same-origin"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://monitor.example.evil.example"},
    ],
)
def test_a_change_of_another_sites_page_is_not(headers):
    assert not Hosts("0.0.0.0", PUBLIC).sent_it({"Host": "monitor.example", **headers})
