"""Callbacks that come, go, are asked for again, and change their keys."""

from contextlib import ExitStack

import pytest

from tests.cluster.providers import Capability
from tests.support.callbacks import callback, problems, secret, signed_with, signing_key, telling
from tests.support.receivers import answer, receiving
from tests.support.waiting import stays, wait_for

pytestmark = pytest.mark.needs(Capability.SIMULATED_NODES)

AGAIN = "alo-operator.io/redeliver"
NOT_NOW = answer(404)  # a failure that says nothing against the host
SHORT = ["--delivery-schedule", "1s,1s"]
PATIENT = ["--delivery-schedule", ",".join(["2s"] * 20)]


@pytest.fixture(scope="module")
def stage(new_stage, cluster, tmp_path_factory):
    """Messages are given up after three attempts, a second apart."""
    with telling(new_stage, cluster, tmp_path_factory.mktemp("short"), SHORT) as made:
        yield made


@pytest.fixture(scope="module")
def patient(new_stage, cluster, tmp_path_factory):
    """Messages are tried every two seconds, for most of a minute."""
    with telling(new_stage, cluster, tmp_path_factory.mktemp("patient"), PATIENT) as made:
        yield made


@pytest.fixture
def receive():
    """Makes receivers."""
    with ExitStack() as open_ones:
        yield lambda *behaviours: open_ones.enter_context(receiving(*behaviours))


def annotate(stage, name, value):
    stage.kubectl("annotate", "aop", name, f"{AGAIN}={value}", "--overwrite")
    wait_for(lambda: stage.status(name).get("redelivery") == value, 30, f"{name} has taken the request in")


@pytest.mark.promise("DELIVERY-10")
def test_who_subscribes_after_the_end_is_told_at_once(stage, receive):
    """One more callback, and a first one, on operations that have ended and were let go."""
    early, late = receive(), receive()
    stage.ask("alone")
    stage.ask("one-more", callback("hook", early.url))
    stage.settled("alone")
    stage.delivery("one-more", "Delivered")
    for name in ("alone", "one-more"):
        stage.released(name)

    stage.edit("alone", callbacks=[callback("late", late.url)])
    stage.edit("one-more", callbacks=[callback("hook", early.url), callback("late", late.url)])

    for name in ("alone", "one-more"):
        stage.delivery(name, "Delivered", "late")
        stage.released(name)
        (told,) = late.of(name)
        assert problems(told, stage.operation(name), stage.key) == []
    assert len(early.of("one-more")) == 1


@pytest.mark.promise("DELIVERY-10")
def test_who_subscribes_while_it_runs_is_told_and_who_leaves_is_not(stage, receive):
    """What counts is who is named at the end."""
    stays_on, comes, goes = receive(), receive(), receive()
    stage.ask("running", callback("stays", stays_on.url), callback("goes", goes.url), seconds=3600)
    stage.has_condition("running", "Started", "True", "Started")
    stage.edit("running", callbacks=[callback("stays", stays_on.url), callback("comes", comes.url)])
    stage.finish("running", message='"done"')

    assert set(wait_for(lambda: stage.deliveries("running"), 60, "it has ended")) == {"stays", "comes"}
    for name in ("stays", "comes"):
        stage.delivery("running", "Delivered", name)
    assert [len(one.of("running")) for one in (stays_on, comes, goes)] == [1, 1, 0]


@pytest.mark.promise("DELIVERY-10")
def test_who_leaves_is_asked_no_more(patient, receive):
    """An entry that is removed while its message is due: its delivery goes, and the operation is let go."""
    leaves, stays_on = receive(NOT_NOW), receive(NOT_NOW)
    patient.ask("left", callback("hook", leaves.url))
    patient.ask("half-left", callback("hook", leaves.url), callback("stays", stays_on.url))
    for name in ("left", "half-left"):
        patient.tried(name)

    patient.edit("left", callbacks=[])
    patient.edit("half-left", callbacks=[callback("stays", stays_on.url)])

    patient.released("left")
    wait_for(lambda: set(patient.deliveries("half-left")) == {"stays"}, 30, "the entry that was removed is gone")
    assert patient.deliveries("left") == {}
    assert patient.operation("half-left")["metadata"]["finalizers"]
    asked = len(leaves.requests)
    leaves.always = answer(200)
    stays(lambda: len(leaves.requests) == asked, 5, "nobody is asked who has left", interval=0.5)
    # Another callback of that name is another one, which was not told yet.
    patient.edit("left", callbacks=[callback("hook", f"{leaves.url}/new")])
    patient.delivery("left", "Delivered")
    assert [received.path for received in leaves.of("left")][-1] == "/hook/new"


@pytest.mark.promise("DELIVERY-3", "DELIVERY-9")
def test_what_was_given_up_is_sent_again_on_request(stage, receive):
    """With the same id, counted anew; once for each value of the annotation, and also what was delivered."""
    broken, sound = receive(answer(500)), receive()
    stage.ask("again", callback("broken", broken.url), callback("sound", sound.url))
    stage.delivery("again", "DeadLettered", "broken")
    stage.delivery("again", "Delivered", "sound")
    stage.released("again")
    broken.always = answer(200)

    annotate(stage, "again", "broken@1")
    assert stage.delivery("again", "Delivered", "broken")["attempts"] == 1
    assert (len(broken.of("again")), len(sound.of("again"))) == (4, 1)
    annotate(stage, "again", "*@2")
    wait_for(lambda: len(broken.of("again")) == 5 and len(sound.of("again")) == 2, 30, "both are told again")
    for name in ("broken", "sound"):
        stage.delivery("again", "Delivered", name)
    stage.released("again")

    assert len(broken.ids) == len(sound.ids) == 1
    assert len({received.body for received in broken.requests}) == 1
    # The same value is no new request, and a name that is not there is nobody.
    annotate(stage, "again", "*@2")
    annotate(stage, "again", "nobody")
    assert (len(broken.of("again")), len(sound.of("again"))) == (5, 2)
    assert stage.status("again")["redelivery"] == "nobody"


@pytest.mark.promise("DELIVERY-14")
def test_a_key_that_is_missing_is_waited_for(patient, receive):
    """No Secret, one without the label, one that holds no key: said in status, and told once that is mended."""
    receiver, key = receive(), signing_key()
    names = ("missing", "unlabelled", "rubbish")
    patient.api.create("secrets", secret("unlabelled", key, labelled=False), patient.namespace)
    patient.api.create("secrets", secret("rubbish", "whsec_%%%"), patient.namespace)
    for name in names:
        patient.ask(name, callback("hook", receiver.url, secret=name))
    errors = {name: patient.tried(name)["lastError"] for name in names}
    words = {name: error.split(":")[0] for name, error in errors.items()}
    missing, invalid = "SigningKeyMissing", "SigningKeyInvalid"
    assert words == {"missing": missing, "unlabelled": missing, "rubbish": invalid}
    assert "kubectl label secret" in errors["unlabelled"]
    assert not any(key in error or "%%%" in error for error in errors.values())
    assert receiver.connections == 0

    patient.api.create("secrets", secret("missing", key), patient.namespace)
    labels = {"metadata": {"labels": {"alo-operator.io/signing-key": "true"}}}
    patient.api.patch("secrets", "unlabelled", labels, patient.namespace)
    patient.api.patch("secrets", "rubbish", {"stringData": {"key": key}}, patient.namespace)

    for name in names:
        patient.delivery(name, "Delivered")
        (told,) = receiver.of(name)
        assert problems(told, patient.operation(name), key) == []


@pytest.mark.promise("DELIVERY-4")
def test_keys_change_without_a_gap(stage, receive):
    """While both keys are in the Secret each message bears a signature of both; afterwards only of the new one."""
    receiver, old, new = receive(), signing_key(), signing_key()
    stage.api.create("secrets", secret("rotated", old), stage.namespace)
    stage.ask("rotating", callback("hook", receiver.url, secret="rotated"))
    stage.delivery("rotating", "Delivered")
    (told,) = receiver.of("rotating")
    assert (signed_with(told, old), signed_with(told, new)) == (True, False)

    def comes_signed(keys, wanted):
        """Send it again and again until it is signed so; the operator reads a Secret anew every ten seconds."""
        stage.api.patch("secrets", "rotated", {"stringData": {"key": "\n".join(keys)}}, stage.namespace)
        seen = []

        def signed():
            annotate(stage, "rotating", f"hook@{len(keys)}-{len(seen)}")
            stage.delivery("rotating", "Delivered")
            last = receiver.of("rotating")[-1]
            seen.append((signed_with(last, old), signed_with(last, new)))
            return seen[-1] == wanted

        wait_for(signed, 40, lambda: f"messages are signed as {wanted} (old key, new key); {seen}", interval=1)
        return seen

    both = comes_signed([new, old], (True, True))
    only_new = comes_signed([new], (False, True))

    assert all(with_old for with_old, _ in both), "nobody who holds the old key was left out before"
    assert all(with_new for _, with_new in only_new)
    assert len(receiver.ids) == 1
