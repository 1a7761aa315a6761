"""``gateway user``: who may use the console."""

import argparse
import asyncio
import getpass
import os
import sys

from config.load import load
from gateway.clock import SystemClock
from gateway.console import names, passwords
from gateway.console.roles import ROLES
from gateway.store.accounts import Accounts, NewEntry
from gateway.store.engines import from_url
from normalizer.errors import ConfigError, StoreError


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked and return 0, or 1 if there is no such user or the name is taken."""
    role = getattr(arguments, "role", None)
    if role is not None and role not in ROLES:
        raise ConfigError(f"there is no role {role}; known: {', '.join(ROLES)}")
    if arguments.action == "change" and role is None and not arguments.password:
        raise ConfigError("nothing to change: name --role, --password or both")
    loaded = load(arguments.config)
    return asyncio.run(_run(loaded.settings.store.url, arguments))


async def _run(url: str, arguments: argparse.Namespace) -> int:
    store = from_url(url, owner=False)
    await store.open()
    try:
        if arguments.action == "list":
            return await _list(store.accounts)
        if arguments.action == "add":
            return await _add(store.accounts, arguments)
        if arguments.action == "change":
            return await _change(store.accounts, arguments)
        return await _remove(store.accounts, arguments)
    finally:
        await store.close()


async def _list(accounts: Accounts) -> int:
    for user in await accounts.users():
        print(f"{user.name}  {user.role}")
    return 0


async def _add(accounts: Accounts, arguments: argparse.Namespace) -> int:
    name = names.checked(arguments.name)
    if await accounts.user(name) is not None:
        raise StoreError(_taken(name))
    kept = passwords.hashed(asked(name))
    entry = _entry("user.added", name, role=arguments.role)
    if not await accounts.add(name, arguments.role, kept, entry):
        raise StoreError(_taken(name))
    print(f"{name} may log in as {arguments.role}")
    return 0


async def _change(accounts: Accounts, arguments: argparse.Namespace) -> int:
    name = names.tidy(arguments.name)
    if await accounts.user(name) is None:
        return _unknown(name)
    kept = passwords.hashed(asked(name)) if arguments.password else None
    changed = {"role": arguments.role} if arguments.role else {}
    changed |= {"password": "new"} if kept else {}
    entry = _entry("user.changed", name, **changed)
    if not await accounts.change(name, entry, role=arguments.role, password=kept):
        return _unknown(name)
    print(f"{name} is changed and must log in again")
    return 0


async def _remove(accounts: Accounts, arguments: argparse.Namespace) -> int:
    name = names.tidy(arguments.name)
    if not await accounts.remove(name, _entry("user.removed", name)):
        return _unknown(name)
    print(f"{name} cannot log in any more")
    return 0


def asked(name: str) -> str:
    """Return a new password: asked for twice at a terminal, else a line of standard input.

    Raises:
        ConfigError: It is none, or was typed differently the second time.
    """
    if not sys.stdin.isatty():
        return passwords.checked(sys.stdin.readline().rstrip("\r\n"))
    password = passwords.checked(getpass.getpass(f"password of {name}: "))
    if passwords.checked(getpass.getpass("once more: ")) != password:
        raise ConfigError("the two passwords differ")
    return password


def _entry(action: str, name: str, **detail: str) -> NewEntry:
    return NewEntry(
        at=SystemClock().now(),
        by="",
        remote="",
        action=action,
        subject=name,
        detail={"how": f"command line, uid {os.getuid()}", **detail},
    )


def _taken(name: str) -> str:
    return f"the name {name} is taken; `gateway user change` changes role or password"


def _unknown(name: str) -> int:
    print(f"{name}: there is no user of this name; see gateway user list", file=sys.stderr)
    return 1
