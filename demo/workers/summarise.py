"""Summarise a month of orders.

All that this program knows of its surroundings: its input is a file, and so is its result. What it prints to standard
error before it fails becomes the operation's failure message.
"""

import csv
import json
import os
import statistics
import sys
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path

ORDERS = Path("/demo/input")


def main() -> None:
    """Read what is asked for, write the answer. Ends the program with a message if the orders cannot be read."""
    wanted = json.loads(Path("/alo/in/input.json").read_text())
    amounts: list[Decimal] = []
    by_country: Counter[str] = Counter()
    by_day: Counter[str] = Counter()
    with (ORDERS / wanted["file"]).open(newline="") as file:
        lines = csv.DictReader(file)
        for row in lines:
            try:
                amount = int(row["quantity"]) * Decimal(row["price"])
            except (ValueError, InvalidOperation):
                sys.exit(
                    f"{wanted['file']}, line {lines.line_num}, order {row['order']}: quantity {row['quantity']!r} and "
                    f"price {row['price']!r} must be numbers, such as 2 and 12.50"
                )
            amounts.append(amount)
            cents = int(amount * 100)
            by_country[row["country"]] += cents
            by_day[row["date"]] += cents
    day, best = by_day.most_common(1)[0]
    answer = {
        "orders": len(amounts),
        "revenue": float(sum(amounts)),
        "median": float(statistics.median(amounts)),
        "bestDay": {"date": day, "revenue": best / 100},
        "byCountry": {country: cents / 100 for country, cents in by_country.most_common()},
    }
    Path(os.environ["ALO_RESULT_FILE"]).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
