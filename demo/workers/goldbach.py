"""Check one slice of Goldbach's conjecture: every even number from 4 on is the sum of two primes.

The Job is an Indexed one: Kubernetes tells each pod the number of its slice.
"""

import json
import os
import sys
from itertools import compress
from pathlib import Path


def primes_below(limit: int) -> bytearray:
    """A sieve: byte n is 1 where n is prime."""
    sieve = bytearray([1]) * limit
    sieve[:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return sieve


def main() -> None:
    """Check the slice; ends the program with a message if a number is no such sum."""
    wanted = json.loads(Path("/alo/in/input.json").read_text())
    size = wanted["upTo"] // wanted["slices"]
    first = int(os.environ["JOB_COMPLETION_INDEX"]) * size
    prime = primes_below(first + size + 1)
    small = list(compress(range(10_000), prime))
    for number in range(max(4, first + first % 2), first + size + 1, 2):
        if not any(prime[number - summand] for summand in small if summand < number):
            sys.exit(f"{number} is not the sum of two primes")
    print(f"checked the even numbers from {max(4, first)} to {first + size}")


if __name__ == "__main__":
    main()
