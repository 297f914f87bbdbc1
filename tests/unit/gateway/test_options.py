"""The command line of the gateway."""

from pathlib import Path

import pytest

from alo_operator.gateway.options import parse


def test_nothing_has_to_be_said():
    """Workers are heard on every address, people on this machine's own."""
    options = parse(["run"])

    assert (options.listen, options.http, options.tls) == (("", 8081), ("127.0.0.1", 8082), None)
    assert (options.kubeconfig, options.log_format, options.log_level) == (None, "text", "info")


def test_namespaces_are_all_or_those_named():
    """None stands for all."""
    assert parse(["run"]).namespaces is None
    assert parse(["run", "--all-namespaces"]).namespaces is None
    assert parse(["run", "-n", "media", "--namespace", "billing"]).namespaces == ("media", "billing")


def test_a_certificate_comes_with_its_key():
    """Both make HTTPS."""
    assert parse(["run", "--tls-certificate", "c", "--tls-key", "k"]).tls == (Path("c"), Path("k"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required"),
        (["run", "--tls-key", "k"], "--tls-certificate and --tls-key go together"),
        (["run", "-A", "-n", "media"], "not allowed with"),
        (["run", "--listen", "x:0"], "--listen needs a port"),
        (["run", "--listen", "8081"], "is not HOST:PORT"),
    ],
)
def test_what_is_wrong_is_said(arguments, words, capsys):
    """With status 2, before anything is done."""
    with pytest.raises(SystemExit) as end:
        parse(arguments)

    assert end.value.code == 2
    assert words in capsys.readouterr().err
