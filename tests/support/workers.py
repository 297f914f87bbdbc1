"""Jobs of special shapes for tests with real containers."""

from typing import Any

from tests.support.operations import SHELL_IMAGE, shell_job

Object = dict[str, Any]


def pod_spec(job: Object) -> Object:
    """Return the pod's spec inside a Job, for changes in place."""
    found: Object = job["spec"]["template"]["spec"]
    return found


def result_job(script: str, **job_spec: Any) -> Object:
    """Return a Job whose result is what `script` prints."""
    return shell_job(f'{{ {script}\n}} > "$ALO_RESULT_FILE"', **job_spec)


def endless_job(on_stop: str = "exit 143", *, grace_seconds: int = 10, **job_spec: Any) -> Object:
    """Return a Job that says `up`, then runs until it is told to stop, and then runs `on_stop` (shell)."""
    return shell_job(f"trap '{on_stop}' TERM; echo up; sleep 1000 & wait $!", grace_seconds=grace_seconds, **job_spec)


def deaf_job(*, grace_seconds: int) -> Object:
    """Return a Job that says `up`, then runs on, whatever it is told."""
    return shell_job("trap '' TERM; echo up; sleep 1000", grace_seconds=grace_seconds)


def unschedulable_job() -> Object:
    """Return a Job whose pod fits no node."""
    job = shell_job("exit 0")
    pod_spec(job)["nodeSelector"] = {"alo-test/no-such-node": "true"}
    return job


def image_job(image: str) -> Object:
    """Return a Job that runs another image."""
    job = shell_job("exit 0")
    pod_spec(job)["containers"][0]["image"] = image
    return job


def with_more_containers(job: Object, count: int) -> Object:
    """Add containers that end at once and say nothing."""
    pod_spec(job)["containers"] += [
        {"name": f"more-{number}", "image": SHELL_IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["true"]}
        for number in range(count)
    ]
    return job
