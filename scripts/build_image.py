"""Build the image of operator and gateway with the Dockerfile: `make image`.

    python -m scripts.build_image [--tag NAME] [--base IMAGE] [further arguments of `docker build`]

It takes the first of docker, podman and buildah that is here and answers. `--base` names another base image with Python
3.11, for machines that cannot pull the Dockerfile's. Exit status: that of the build; 2, with what to do, where none of
the three can be used.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.sbom import version

ROOT = Path(__file__).resolve().parent.parent
# Program -> arguments that show whether it works, and those that build.
BUILDERS = {
    "docker": (("version", "--format", "{{.Server.Version}}"), ("build",)),
    "podman": (("info",), ("build", "--format=docker")),
    "buildah": (("info",), ("bud", "--format=docker")),
}


def main() -> int:
    """Run the command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="make image", description="Build the image of operator and gateway.")
    parser.add_argument("--tag", default=f"alo-operator:{version()}", help="name of the image (default: %(default)s)")
    parser.add_argument("--base", help="another base image than the Dockerfile's; it needs Python 3.11 with venv")
    given, further = parser.parse_known_args()
    program, problems = find()
    if program is None:
        print("image: no program here can build it:", *problems, sep="\n  ", file=sys.stderr)
        print(
            "Install Docker (https://docs.docker.com/engine/install/), podman or buildah, start it, and try again. "
            "The tests need none of them: they make an image of the same content themselves.",
            file=sys.stderr,
        )
        return 2
    arguments = {"VERSION": version(), "REVISION": revision(), "BASE": given.base}
    words = [program, *BUILDERS[program][1], "--tag", given.tag]
    words += [word for key, value in arguments.items() if value for word in ("--build-arg", f"{key}={value}")]
    print(f"image: building {given.tag} with {program}", flush=True)
    done = subprocess.run([*words, *further, "."], cwd=ROOT, check=False)
    if done.returncode:
        print("image: where the base image cannot be pulled, name another: make image BASE=...", file=sys.stderr)
    else:
        print(f"image: {given.tag} is there; in a kind cluster: kind load docker-image {given.tag}")
    return done.returncode


def find() -> tuple[str | None, list[str]]:
    """Return the first program that works, and what is wrong with those before it."""
    problems = []
    for program, (question, _) in BUILDERS.items():
        if shutil.which(program) is None:
            problems.append(f"{program}: not installed, or not on PATH")
            continue
        try:
            asked = subprocess.run([program, *question], capture_output=True, text=True, timeout=30, check=False)
        except subprocess.TimeoutExpired:
            problems.append(f"{program}: does not answer within 30 s")
            continue
        if asked.returncode == 0:
            return program, problems
        said = (asked.stderr or asked.stdout).strip().splitlines()
        problems.append(f"{program}: {said[-1] if said else f'ended with {asked.returncode}'}")
    return None, problems


def revision() -> str:
    """Return the commit that is checked out, marked where files differ from it; `unknown` outside a repository."""
    if shutil.which("git") is None:
        return "unknown"
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else "unknown"


if __name__ == "__main__":
    sys.exit(main())
