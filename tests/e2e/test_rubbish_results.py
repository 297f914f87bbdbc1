"""Results that cannot be kept, or look like what they are not: never half a value, never a crash."""

import pytest

from tests.cluster.providers import Capability
from tests.support.operations import operation
from tests.support.workers import result_job, with_more_containers

pytestmark = pytest.mark.needs(Capability.REAL_KUBELET, Capability.LOAD_IMAGE)

TEXTS = {  # name of the operation -> what its worker writes; JSON to nobody, or to some parsers only
    "nan": '{"loss": NaN}',
    "infinite": '[1e400, "x"]',
    "huge": '{"serial": 123456789012345678901234567890}',
    "unclosed": '{"done": tru',
    "two-values": '{"a": 1}\n{"b": 2}',
}
DEEP = 2000  # brackets that open, and as many that close


def letters(count):
    return f"head -c {count} /dev/zero | tr '\\0' x"


OPERATIONS = [
    *[operation(name, job=result_job(f"cat <<'EOT'\n{text}\nEOT")) for name, text in TEXTS.items()],
    operation("deep", job=result_job(f"{letters(DEEP)} | tr x '['; {letters(DEEP)} | tr x ']'")),
    operation("much", job=result_job(letters(100_000))),
    operation("four-fit", job=with_more_containers(result_job(letters(3068)), 3)),
    operation("four-cut", job=with_more_containers(result_job(letters(3069)), 3)),
    operation("one-fits", job=result_job(letters(4092))),
    operation("edge-fits", job=result_job(f"{letters(4090)}; printf é")),
    operation("edge-cut", job=result_job(f"{letters(4095)}; printf €")),
    operation("not-text", job=result_job("printf '\\377\\376\\000\\001'")),
    operation("blank", job=result_job("echo")),
]


@pytest.fixture(scope="module")
def stage(module_stage):
    module_stage.create(*OPERATIONS)
    return module_stage


@pytest.mark.promise("RESULT-1")
@pytest.mark.parametrize("name", TEXTS)
def test_what_is_not_quite_json_stays_text(stage, name):
    """NaN, numbers that would lose digits, and broken JSON are kept as the text they are."""
    status = stage.settled(name)

    assert status["phase"] == "Succeeded"
    assert (status["result"]["value"], status["result"]["contentType"]) == (TEXTS[name] + "\n", "text/plain")


def test_json_that_is_too_deep_stays_text(stage):
    """Two thousand brackets overflow nobody's stack."""
    result = stage.settled("deep")["result"]

    assert result["value"] == "[" * DEEP + "]" * DEEP
    assert result["contentType"] == "text/plain"


@pytest.mark.promise("RESULT-2")
def test_a_result_of_100_kilobytes_is_refused_with_the_sizes(stage):
    """The kubelet keeps a part; the promise is rejected instead of fulfilled with it."""
    status = stage.settled("much")

    assert (status["phase"], status["failure"]["reason"]) == ("Failed", "ResultTooLarge")
    assert "4096 bytes" in status["failure"]["message"]
    assert "at most 4092 bytes" in status["failure"]["message"]
    assert "result" not in status


@pytest.mark.promise("RESULT-2")
def test_four_containers_share_the_room_for_messages(stage):
    """With four containers 3068 bytes are kept whole; one more might be a cut message and is refused."""
    kept, refused = stage.settled("four-fit"), stage.settled("four-cut")

    assert kept["result"]["value"] == "x" * 3068
    assert (refused["phase"], refused["failure"]["reason"]) == ("Failed", "ResultTooLarge")
    assert "4 container" in refused["failure"]["message"]
    assert "3072 bytes" in refused["failure"]["message"]


@pytest.mark.promise("RESULT-1")
def test_the_largest_result_of_one_container_is_kept_whole(stage):
    """4092 bytes fit."""
    assert stage.settled("one-fits")["result"]["bytes"] == 4092


@pytest.mark.promise("RESULT-2")
def test_a_character_across_the_cut_is_never_half_a_value(stage):
    """A result that the kubelet cut inside a character is refused; one that ends just before the margin is whole."""
    kept, refused = stage.settled("edge-fits"), stage.settled("edge-cut")

    assert kept["result"]["value"] == "x" * 4090 + "é"
    assert refused["failure"]["reason"] == "ResultTooLarge"
    assert "result" not in refused


def test_bytes_that_are_no_text_settle_all_the_same(stage):
    """A binary result ends the promise one way or the other."""
    assert stage.settled("not-text")["phase"] in {"Succeeded", "Failed"}


def test_a_blank_line_is_a_text(stage):
    """Even an empty line is what the worker said."""
    assert stage.settled("blank")["result"]["value"] == "\n"
