"""The command line."""

import pytest

from alo_operator.controller.options import parse


def test_the_least_that_can_be_said_is_the_scope():
    """All the rest has defaults that suit one replica on one machine."""
    options = parse(["run", "-n", "media"])

    assert options.namespaces == ("media",)
    assert (options.lease.namespace, options.lease.name) == ("media", "alo-operator")
    assert (options.lease.duration, options.lease.renew, options.lease.retry) == (15.0, 5.0, 1.0)
    assert (options.http, options.log_format, options.log_level) == (("127.0.0.1", 8080), "text", "info")
    assert options.log_tail
    assert options.lease.identity


def test_the_lease_of_several_namespaces_is_in_the_systems_own():
    """One of them would be as good as another, so none is."""
    assert parse(["run", "-A"]).namespaces is None
    assert parse(["run", "-A"]).lease.namespace == "alo-system"
    assert parse(["run", "-n", "a", "-n", "b"]).lease.namespace == "alo-system"
    assert parse(["run", "-n", "a", "--lease-namespace", "b"]).lease.namespace == "b"


@pytest.mark.parametrize(
    ("address", "expected"), [("192.0.2.1:80", ("192.0.2.1", 80)), ("[::1]:0", ("::1", 0)), (":8080", ("", 8080))]
)
def test_an_address_is_host_and_port(address, expected):
    """IPv6 in brackets; port 0 means nowhere."""
    assert parse(["run", "-A", "--http-address", address]).http == expected


def test_times_are_seconds_with_or_without_the_letter():
    """The renewal follows the duration."""
    lease = parse(["run", "-A", "--lease-duration", "3s", "--lease-retry", "0.2"]).lease

    assert (lease.duration, lease.renew, lease.retry) == (3.0, 1.0, 0.2)


def test_logs_can_be_kept_out_of_failures():
    """For clusters where not everybody may read them."""
    assert not parse(["run", "-A", "--no-log-tail"]).log_tail


def test_jobs_are_kept_for_a_day_unless_somebody_says_otherwise():
    """In the words of the API, or for ever."""
    assert parse(["run", "-A"]).retention_job == "24h"
    assert parse(["run", "-A", "--retention-job", "1h30m"]).retention_job == "1h30m"
    assert parse(["run", "-A", "--retention-job", "0"]).retention_job == "0"
    assert parse(["run", "-A", "--retention-job", "never"]).retention_job is None


def test_the_gateway_is_where_it_is_said_to_be():
    """A slash at the end makes no difference; without the option there is none."""
    assert parse(["run", "-A"]).report_url is None
    assert parse(["run", "-A", "--report-url", "https://[::1]:8081/alo/"]).report_url == "https://[::1]:8081/alo"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required"),
        (["run"], "one of the arguments -n/--namespace -A/--all-namespaces is required"),
        (["run", "-A", "-n", "x"], "not allowed with"),
        (["run", "-A", "--lease-duration", "1m"], "'1m' is not a time between 0.1s and 3600s, such as 15s"),
        (["run", "-A", "--lease-duration", "0"], "is not a time between"),
        (["run", "-A", "--lease-duration", "nan"], "is not a time between"),
        (["run", "-A", "--lease-duration", "inf"], "is not a time between"),
        (["run", "-A", "--lease-renew", "10s"], "--lease-renew must be less than two thirds of --lease-duration"),
        (["run", "-A", "--http-address", "8080"], "'8080' is not HOST:PORT, such as 0.0.0.0:8080"),
        (["run", "-A", "--http-address", "x:99999"], "is not HOST:PORT"),
        (["run", "-A", "--report-url", "gateway:8081"], "'gateway:8081' is not a URL, such as http://"),
        (["run", "-A", "--report-url", "http://x:99999"], "is not a URL"),
        (["run", "-A", "--report-url", "http://x/?a=b"], "is not a URL"),
        (["run", "-A", "--log-format", "xml"], "invalid choice"),
        (["run", "-A", "--retention-job", "1d"], "'1d' is not a duration: write hours"),
        (["run", "-A", "--retention-job", ""], "or write never"),
    ],
)
def test_a_bad_command_line_ends_with_status_2_and_a_reason(arguments, words, capsys):
    """The reason shows how it is written."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)

    assert ended.value.code == 2
    assert words in capsys.readouterr().err
