from preflight.judge.services import ANSWER, MISSING
from preflight.model.vocabulary import ProbeName
from preflight.probes.services import PROBES


def test_every_probe_of_the_vocabulary_has_its_module():
    assert set(PROBES) == set(ProbeName) - {ProbeName.PULL}  # the kubelet does that


def test_every_probe_of_the_vocabulary_has_judges_for_answers_and_for_missing_steps():
    assert set(ANSWER) == set(ProbeName)
    assert set(MISSING) == set(ProbeName)
