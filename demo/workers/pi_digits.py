"""Compute digits of pi, one after the other, and say how far it has come.

It uses the library for Python workers: input, progress, the signal to stop, and the result are a line each.
"""

from collections.abc import Iterator

from alo_operator.worker import Cancelled, Work, run

EVERY = 50


def digits_of_pi() -> Iterator[int]:
    """Gibbons' unbounded spigot: each digit takes a little longer than the one before."""
    q, r, t, k, digit, odd = 1, 0, 1, 1, 3, 3
    while True:
        if 4 * q + r - t < digit * t:
            yield digit
            q, r, digit = 10 * q, 10 * (r - digit * t), 10 * (3 * q + r) // t - 10 * digit
        else:
            q, r, t, k, digit, odd = (
                q * k,
                (2 * q + r) * odd,
                t * odd,
                k + 1,
                (q * (7 * k + 2) + r * odd) // (t * odd),
                odd + 2,
            )


def main(work: Work) -> object:
    """All the digits that are wanted, or those found until it was told to stop."""
    wanted, found = work.input["digits"], ""
    try:
        for digit in digits_of_pi():
            found += str(digit)
            if len(found) % EVERY == 0:
                work.progress(done=len(found), total=wanted, unit="digits")
            if len(found) == wanted:
                break
    except Cancelled:
        print(f"told to stop after {len(found)} digits: handing those in")
    return {"digits": len(found), "pi": f"{found[:1]}.{found[1:60]}"}


if __name__ == "__main__":
    run(main)
