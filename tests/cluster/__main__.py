"""The command line: `python -m tests.cluster up|down|status|env|images|selfcheck`."""

import argparse
import sys
from collections.abc import Sequence

from tests.cluster import binaries, images, selfcheck
from tests.cluster.errors import ClusterError
from tests.cluster.progress import say
from tests.cluster.providers import NAME_VARIABLE, Cluster, Options, choose, wanted_name


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.cluster", description="The test cluster: one entry point.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start the cluster, or find it running; prints its kubeconfig's path")
    yes_or_no = argparse.BooleanOptionalAction
    up.add_argument("--real-node", action=yes_or_no, default=True, help="a kubelet that runs containers")
    up.add_argument("--simulated-nodes", type=count, default=5, metavar="N", help="how many (default 5)")
    up.add_argument(
        "--lift-client-limits",
        action=yes_or_no,
        default=True,
        help="raise request limits of controller manager and scheduler, which else allow about 3.4 Jobs a second",
    )
    up.add_argument("--services", action=yes_or_no, default=True, help="pods reach Services, by name too")
    more = {
        "down": "stop the cluster and take away what it left on this machine",
        "status": "show whether it is up and what it can do; exit code 1 if it is not up",
        "env": 'print shell lines for it: eval "$(python -m tests.cluster env)"',
        "selfcheck": "try everything that a cluster promises, on one of its own name (default selfcheck)",
    }
    for name, text in more.items():
        commands.add_parser(name, help=text)
    for name in ("up", *more):
        default = "selfcheck" if name == "selfcheck" else wanted_name()
        source = "" if name == "selfcheck" else f", from ${NAME_VARIABLE} where that is set"
        commands.choices[name].add_argument("--name", default=default, help=f"default {default}{source}")
    commands.add_parser("build", help="build the cluster's programs from source, or find them in the cache")
    commands.add_parser("images", help="make the container images, or find them in the cache; prints their paths")
    return top


def count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError("between 0 and 1000")
    return value


def found(name: str) -> Cluster:
    cluster = choose().find(name)
    if cluster is None:
        raise ClusterError(f"cluster {name} is not up; start it: python -m tests.cluster up --name {name}")
    return cluster


def perform(arguments: argparse.Namespace) -> None:
    """Do what the command line says. Raises ClusterError."""
    command = arguments.command
    if command == "build":
        for path in binaries.built(binaries.needed(services=True)).values():
            print(path)
    elif command == "images":
        for path in images.built():
            print(path)
    elif command == "up":
        options = Options(
            name=arguments.name,
            real_node=arguments.real_node,
            simulated_nodes=arguments.simulated_nodes,
            lift_client_limits=arguments.lift_client_limits,
            services=arguments.services,
        )
        print(choose().up(options).kubeconfig)
    elif command == "down":
        choose().down(arguments.name)
    elif command == "status":
        show(found(arguments.name))
    elif command == "env":
        cluster = found(arguments.name)
        print(f"export KUBECONFIG='{cluster.kubeconfig}'")
        print(f"export KUBECTL='{cluster.kubectl}'")
    else:
        selfcheck.check(arguments.name)


def show(cluster: Cluster) -> None:
    print(f"cluster {cluster.name} is up at {cluster.server}")
    print(f"kubeconfig  {cluster.kubeconfig}")
    print(f"kubectl     {cluster.kubectl}")
    print(f"audit log   {cluster.audit_log or '-'}")
    print(f"can         {', '.join(sorted(capability.name for capability in cluster.capabilities)) or '-'}")
    print(cluster.run_kubectl("get", "nodes").rstrip())


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        perform(parser().parse_args(arguments))
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; `up` and `down` can be called again at any time")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
