"""The exceptions that users meet, with their exit codes. Each adapter translates its own library's into these.

* Failure
  * UsageFailure: exit 2, command line, configuration, catalogue, run file
    * Problems: several mistakes of one file, reported together
  * MissingExtra: exit 2, the installation lacks an optional part
  * ClusterFailure: exit 3, the cluster's API could not do what a run needs; names a cause
    * Refused: the API server answered with an error status
"""

from collections.abc import Sequence


class Failure(Exception):  # noqa: N818 - the tree's own word
    """Something to tell a user; `str()` is the whole message."""

    exit_code = 2


class UsageFailure(Failure):
    """What was asked for cannot be done as asked: says what, where, and what would be right."""


class Problems(UsageFailure):
    """All mistakes of one input; each line names file and key."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class MissingExtra(Failure):
    """An optional part is not installed."""

    def __init__(self, extra: str, needed_for: str) -> None:
        self.extra = extra
        super().__init__(
            f"{needed_for} needs an optional part that is not installed\n  pip install 'azureml-aks-preflight[{extra}]'"
        )


class ClusterFailure(Failure):
    """The cluster's API did not do what was asked; `cause` is of the closed vocabulary."""

    exit_code = 3

    def __init__(self, cause: str, text: str) -> None:
        self.cause, self.text = cause, text
        super().__init__(f"{text} ({cause})")


class Refused(ClusterFailure):
    """The API server answered with an error; `reason` is the API's own word: "Forbidden", "AlreadyExists"."""

    def __init__(self, cause: str, text: str, *, status: int, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(cause, text)
