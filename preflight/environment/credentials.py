"""Reads secrets from where `preflight.toml` says they are. A missing one is a mistake, never a silent gap."""

from collections.abc import Mapping
from pathlib import Path

from preflight import files
from preflight.failures import Problems
from preflight.model.environment import Environment, SecretSource
from preflight.model.secret import Secret, Secrets

LARGEST = 65_536  # bytes


def read_secrets(env: Environment, environ: Mapping[str, str]) -> Secrets:
    """All credentials that the file names. Raises `Problems`, which never hold a value."""
    secrets: Secrets = {}
    problems: list[str] = []
    for name in env.credentials.__struct_fields__:
        source = getattr(env.credentials, name)
        if source is None:
            continue
        value, wrong = _value(source, environ, Path(env.source).parent)
        if wrong:
            problems.append(f"{env.source}: credentials.{name}: {wrong}\n  set it, or take the line out")
        elif name == "proxy" and ":" not in value:
            problems.append(f"{env.source}: credentials.proxy: holds no colon\n  give user:password")
        else:
            secrets[name] = Secret(value)
    if problems:
        raise Problems(problems)
    return secrets


def _value(source: SecretSource, environ: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """The secret, or what is wrong."""
    if source.env:
        value = environ.get(source.env, "").strip()
        return (value, "") if value else ("", f"the environment variable {source.env} is not set")
    path = folder / Path(str(source.file)).expanduser()
    try:
        value = files.read(path, LARGEST).decode("utf-8").strip()
    except files.TooLarge:
        return "", f'the file "{source.file}" is too large for a secret'
    except OSError as error:
        return "", f'the file "{source.file}" cannot be read: {error.strerror}'
    except UnicodeDecodeError:
        return "", f'the file "{source.file}" is not text'
    if not value:
        return "", f'the file "{source.file}" is empty'
    return value, ""
