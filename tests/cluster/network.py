from tests.cluster.layout import Layout


def set_up(layout: Layout) -> None:
    raise NotImplementedError


def take_down(layout: Layout) -> None:
    raise NotImplementedError
