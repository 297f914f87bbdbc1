"""What a decision sees of a template, and what makes one unusable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alo_operator.api import limits
from alo_operator.desired.adoption import Adopted, adoption_annotations, result_schema
from alo_operator.desired.template_view import TemplateView
from tests.support.building_templates import make_template

RUBBISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def nested(levels):
    schema = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def test_a_template_that_can_be_run_has_no_problem():
    """Its digest is that of the whole spec, in canonical form."""
    view = make_template().spec(concurrency={"limit": 3}, inputSchema={"type": "object"}).view()

    assert (view.problem, view.limit, view.key) == ("", 3, ("media", "resize-image"))
    assert view.schemas == ({"type": "object"}, None)
    assert view.digest.startswith("v1:sha256:")
    assert view.digest != make_template().view().digest


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"inputSchema": {"description": "x" * limits.SCHEMA_BYTES}}, "spec.inputSchema has"),
        ({"resultSchema": nested(limits.SCHEMA_DEPTH)}, "spec.resultSchema is nested more than 64 levels"),
        ({"description": "x" * limits.TEMPLATE_BYTES}, f"may have {limits.TEMPLATE_BYTES}"),
        ({"inputSchema": nested(200)}, "nested more deeply"),
        ({"env": [{"name": "ALO_UID", "fromInput": "uid"}]}, "sets ALO_UID"),
        ({"env": [{"name": "TRACEPARENT", "fromInput": "trace"}]}, "sets TRACEPARENT"),
        ({"timeouts": {"startToClose": "soon"}}, "spec.timeouts.startToClose"),
        ({"job": {}}, "spec.job"),
        ({"inputSchema": {"const": 10**400}}, "cannot carry"),
    ],
)
def test_what_makes_a_template_unusable_is_named(fields, words):
    """The place, and the limit where there is one."""
    assert words in make_template().spec(**fields).view().problem


def test_a_promised_result_needs_a_job_that_gives_one():
    """Several completions give a value only where they are indexed."""
    judged = {"resultSchema": {"type": "integer"}}
    assert "gives none" in make_template().spec(**judged).job_spec(completions=3).view().problem
    assert make_template().spec(**judged).job_spec(completions=3, completionMode="Indexed").view().problem == ""
    assert make_template().spec(**judged).job_spec(completions=1).view().problem == ""


@given(RUBBISH)
def test_whatever_a_template_says_it_can_be_read(spec):
    """One that makes no sense is unusable, and harms nothing else."""
    view = TemplateView.from_body({"metadata": {"name": "x"}, "spec": spec})

    assert view.problem
    assert Adopted.of(view) is None


def test_what_is_taken_up_is_read_back_from_the_job():
    """Generation, digest, limits and the schema of the result survive the way over the Job's annotations."""
    view = (
        make_template()
        .generation(7)
        .spec(timeouts={"startToClose": "1h"}, retention={"record": "24h"}, resultSchema={"type": "integer"})
        .view()
    )
    job = {"metadata": {"annotations": adoption_annotations(view)}}

    adopted = Adopted.read(job)

    assert adopted == Adopted.of(view)
    assert (adopted.template.generation, adopted.template.digest, adopted.judged) == (7, view.digest, True)
    assert result_schema(job) == {"type": "integer"}


@pytest.mark.parametrize("said", ["", "{", "[]", '"words"'])
def test_an_annotation_that_says_nothing_is_none(said):
    """Somebody may have edited it."""
    job = {"metadata": {"annotations": {"alo-operator.io/template": said, "alo-operator.io/result-schema": said}}}

    assert Adopted.read(job) is None
    assert result_schema(job) is None
