"""A secret value that no repr, log, JSON encoder or format string shows."""


class Secret:
    """Holds one secret; `reveal()` is the only way to it, and is called where the request is built."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


Secrets = dict[str, Secret]
# The token that a pod is given for as long as it runs: read there, and known nowhere else.
SERVICE_ACCOUNT = "service_account_token"
