"""A wrong clock: proven by several services that agree, and by nothing less."""

from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from builders.facts import (
    STARTED,
    certificate,
    check,
    connection,
    evidence,
    hop,
    http,
    observation,
    plan,
    tls,
)
from msgspec import UNSET

from preflight.judge import clock, judge
from preflight.model.vocabulary import Confidence, Owner, Status

HOSTS = ("mcr.microsoft.com", "login.microsoftonline.com", "acrprod.azurecr.io", "api.azureml.ms")
HERE = datetime.fromisoformat(STARTED)
DAY = timedelta(days=1)


def answered(host, ahead, **more):
    """A hop whose service gives a time that the clock here is ahead of."""
    headers = (("date", format_datetime(HERE - ahead, usegmt=True)), *more.pop("headers", ()))
    return hop(url=f"https://{host}/", http=http(headers=headers), **more)


def refused(host, ahead=None, *, begin=-30 * DAY, end=90 * DAY, code=10):
    """A certificate, valid at the true time, that the clock here makes look out of date."""
    true = HERE - (ahead or timedelta())
    one = certificate(not_before=(true + begin).isoformat(), not_after=(true + end).isoformat())
    served = (HERE - ahead).isoformat() if ahead is not None else None
    told = tls("unverified", name=host, verify_code=code, verify_message="dates", chain=(one,), served_date=served)
    return hop(url=f"https://{host}/", connections=(connection(secure=told),), http=UNSET)


def seen(*hops):
    return [observation(one, task=one.url) for one in hops]


def judged(*hops):
    checks = [check(f"one.r{number}", "origin", task=one.url) for number, one in enumerate(hops)]
    return judge(evidence(plan(*checks), *seen(*hops)))


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        ((400 * DAY,) * 3, 400 * DAY),
        ((-2 * DAY,) * 4, -2 * DAY),
        ((timedelta(minutes=6),) * 3, timedelta(minutes=6)),
        ((400 * DAY, 400 * DAY, 400 * DAY, timedelta()), 400 * DAY),
        ((timedelta(minutes=4),) * 4, None),
        ((timedelta(),) * 4, None),
        ((400 * DAY,) * 2, None),
        ((400 * DAY, 300 * DAY, 200 * DAY, timedelta()), None),
        ((400 * DAY, 400 * DAY, timedelta(), timedelta()), None),
    ],
)
def test_services_must_agree_against_the_clock(ahead, expected):
    found = clock.skew(seen(*(answered(host, one) for host, one in zip(HOSTS, ahead, strict=False))))
    assert (found and timedelta(seconds=found.seconds)) == expected


def test_many_answers_of_one_service_are_one_voice():
    assert clock.skew(seen(*[answered(HOSTS[0], 400 * DAY)] * 5)) is None


def test_what_a_cache_adds_is_no_skew():
    old = [answered(host, timedelta(hours=2), headers=(("age", "7200"),)) for host in HOSTS]
    assert clock.skew(seen(*old)) is None


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 9999999 10:00:00 GMT", "\x00"])
def test_a_date_that_is_none_says_nothing(date):
    nonsense = [hop(url=f"https://{host}/", http=http(headers=(("date", date),))) for host in HOSTS]
    assert clock.skew(seen(*nonsense)) is None


def test_certificates_that_only_the_clock_makes_look_expired_are_one_finding():
    run = judged(*(refused(host, 400 * DAY) for host in HOSTS))
    assert {(one.status, one.cause) for one in run.verdicts} == {(Status.FAIL, "clock.wrong")}
    (finding,) = run.findings
    assert (finding.owner, finding.confidence) == (Owner.PLATFORM, Confidence.PROVEN)
    assert "400.0 days ahead of 4 services" in run.verdicts[0].reason


def test_a_clock_that_is_behind_makes_certificates_look_early():
    run = judged(*(refused(host, -60 * DAY, code=9) for host in HOSTS))
    assert {one.cause for one in run.verdicts} == {"clock.wrong"}


def test_a_certificate_that_is_expired_by_the_services_time_too_is_the_services_fault():
    good = [refused(host, 400 * DAY) for host in HOSTS]
    run = judged(*good, refused("old.example", 400 * DAY, end=-1 * DAY))
    assert [one.cause for one in run.verdicts] == ["clock.wrong"] * 4 + ["tls.expired"]


def test_expired_certificates_alone_prove_no_clock():
    run = judged(*(refused(host, end=-1 * DAY) for host in HOSTS))
    assert {one.cause for one in run.verdicts} == {"tls.expired"}


def test_a_wrong_clock_with_certificates_that_hold_is_told_in_the_notices():
    run = judged(*(answered(host, 2 * DAY) for host in HOSTS))
    assert {one.status for one in run.verdicts} == {Status.PASS}
    assert run.notices == ("node/user1: the clock is 2.0 days ahead of what 4 services say (Date headers)",)
