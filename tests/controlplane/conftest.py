"""The chart, rendered by Helm for a release that nobody installs."""

import pytest

from tests.controlplane.charts import EVERYTHING
from tests.support import helm as helms
from tests.support.helm import Helm
from tests.support.tiers import not_run


@pytest.fixture(scope="session")
def helm(tmp_path_factory):
    """Helm, for a release that nobody installs."""
    if reason := helms.what_is_missing():
        not_run(reason)
    return Helm(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def everything(helm):
    """What the chart makes with all switches on."""
    return helm.template(EVERYTHING)
