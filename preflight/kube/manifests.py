"""A run as objects that somebody else applies: Jobs or CronJobs with plans, for clusters that only take Git. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from preflight.kube import objects
from preflight.kube.objects import Probe, Terms
from preflight.kube.pools import Place
from preflight.model.vocabulary import VantageKind

Json = dict[str, Any]
SECRET: Final = "preflight-credentials"  # noqa: S105 - the name of an object that the user makes


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """What is printed: the same objects that a run would create, without an owner, since Git owns them."""

    terms: Terms
    image: str
    places: tuple[Place, ...]
    plans: Mapping[VantageKind, str]  # plan of each kind, as JSON
    variables: Mapping[VantageKind, tuple[str, ...]]  # keys that SECRET must have
    schedule: str | None = None  # cron expression: CronJobs instead of Jobs
    make_namespace: bool = True


def build(sheet: Sheet) -> list[Json]:
    """Namespace, plans, Jobs."""
    kinds = [kind for kind in sheet.plans if any(place.kind is kind for place in sheet.places)]
    found = [objects.namespace(sheet.terms, kinds)] if sheet.make_namespace else []
    found += [objects.plan_map(sheet.terms, _name(sheet, kind), sheet.plans[kind]) for kind in kinds]
    jobs = [_job(sheet, place) for place in sheet.places]
    found += [_scheduled(job, sheet.schedule) for job in jobs] if sheet.schedule else jobs
    return [_lasting(one) for one in found]


def _name(sheet: Sheet, kind: VantageKind) -> str:
    return f"{objects.TOOL}-{sheet.terms.run_id}-{kind.value}"


def _job(sheet: Sheet, place: Place) -> Json:
    variables = sheet.variables.get(place.kind, ())
    probe = Probe(
        place=place,
        image=sheet.image,
        plan_map=_name(sheet, place.kind),
        secret=SECRET if variables else None,
        variables=variables,
    )
    return objects.job(sheet.terms, probe)


def _scheduled(job: Json, schedule: str) -> Json:
    """batch/v1, which clusters have since 1.21; the pods of the last run stay, so that `collect` can read them."""
    spec = {key: value for key, value in job["spec"].items() if key != "ttlSecondsAfterFinished"}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": job["metadata"],
        "spec": {
            "schedule": schedule,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"metadata": {"labels": job["metadata"]["labels"]}, "spec": spec},
        },
    }


def _lasting(one: Json) -> Json:
    """Nothing of these expires: they are Git's, and `preflight clean --older-than` must not count on it."""
    annotations = {key: value for key, value in one["metadata"]["annotations"].items() if key != objects.EXPIRES}
    kept = {key: value for key, value in one["metadata"].items() if key != "annotations"}
    spec = one.get("spec")
    if one["kind"] == "Job" and spec is not None:  # a Job that is gone cannot be collected
        one = {**one, "spec": {**spec, "ttlSecondsAfterFinished": 24 * 3600}}
    return {**one, "metadata": {**kept, **({"annotations": annotations} if annotations else {})}}


def needed_secret(sheet: Sheet) -> Sequence[str]:
    """The keys that the Secret must have, in order."""
    return sorted({name for names in sheet.variables.values() for name in names})
