"""Draw the dashboard.

    python -m tests.monitoring record SCRAPES                     a load of five minutes on a cluster of its own
    python -m tests.monitoring draw SCRAPES docs/dashboard.svg

Scrapes are kept as JSON, so that a changed dashboard can be drawn anew without another load.
"""

import argparse
import json
from pathlib import Path

from tests.monitoring.drawing import drawn
from tests.monitoring.record import EVERY, recorded

CLUSTER = "dashboard"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.monitoring", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    record = commands.add_parser("record", help="load a cluster for five minutes and keep what was scraped")
    record.add_argument("scrapes", type=Path)
    record.add_argument("--cluster", default=CLUSTER, help=f"its name, default {CLUSTER}; it stays up")
    draw = commands.add_parser("draw", help="run all queries over the scrapes and draw their panels as SVG")
    draw.add_argument("scrapes", type=Path)
    draw.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "record":
        arguments.scrapes.write_text(json.dumps(recorded(arguments.cluster)), "utf-8")
    else:
        arguments.picture.write_text(drawn(json.loads(arguments.scrapes.read_text("utf-8")), EVERY), "utf-8")


if __name__ == "__main__":
    main()
