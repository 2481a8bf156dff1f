"""What all formats take from a run, before any of them writes a line."""

from preflight import catalogue
from preflight.render import view


def test_every_service_of_the_catalogue_has_a_name_for_people():
    groups = {view.service(one.id) for one in catalogue.load().requirements}
    assert {group for group in groups if group not in view.SERVICES and not group.startswith("dependency")} == set()
