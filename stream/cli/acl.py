"""`reviews acl`: the least that each role needs, printed or given."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from stream.cli.console import note, out, print_line
from stream.cli.options import Json, Prefix, Servers, settings_from
from stream.cli.signals import interruptible


def acl(
    role: Annotated[
        str,
        typer.Argument(
            metavar="ROLE",
            help="producer, consumer, worker, queue, relabeller, monitor, trainer or operator.",
        ),
    ],
    principal: Annotated[
        str | None,
        typer.Option(help="Who gets the role; User:reviews-ROLE unless set.", show_default=False),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="A consumer's group; unless set, any PREFIX.consumer.*"),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Give the rights now, as the user in the settings.")
    ] = False,
    servers: Servers = None,
    prefix: Prefix = None,
    as_json: Json = False,
) -> None:
    """Print the least rights that a role needs on Kafka and Redis; --apply gives those on Kafka.

    Printed are lines of Kafka's own kafka-acls.sh and of redis-cli, ready to be run. Rights that a
    principal has beyond its role are not taken away.
    """
    from stream.acl import ROLES, redis_rules, role_rules
    from stream.acl.apply import grant
    from stream.acl.roles import Role

    known: dict[str, Role] = {name: name for name in ROLES}
    if role not in known:
        raise typer.BadParameter(f"no role {role}; there are: {', '.join(ROLES)}")
    settings = settings_from(servers, prefix)
    user = _principal(principal or f"reviews-{role}")
    rules = role_rules(known[role], settings, group=group)
    redis = redis_rules(known[role], settings)
    redis_user = user.partition(":")[2]
    if apply:
        count = interruptible(grant(settings.kafka, user, rules))
        note(f"{user} has the {count} rights of a {role} on Kafka")
        if redis:
            note(f"on Redis, run: ACL SETUSER {redis_user} on '>PASSWORD' {' '.join(redis)}")
        return
    if as_json:
        found = {
            "role": role,
            "principal": user,
            "kafka": [
                {
                    "resource": rule.resource.name.lower(),
                    "name": rule.name,
                    "pattern": rule.pattern.name.lower(),
                    "operations": [operation.name.lower() for operation in rule.operations],
                }
                for rule in rules
            ],
            "redis": list(redis),
        }
        out.print_json(json.dumps(found))
        return
    for rule in rules:
        print_line(rule.command(user, settings.kafka.bootstrap_servers))
    if redis:
        words = " ".join(f"'{rule}'" for rule in redis)
        print_line(f"redis-cli ACL SETUSER {redis_user} on '>PASSWORD' {words}")
    note(f"[dim]next: reviews acl {role} --apply, as an administrator of the cluster[/dim]")


def _principal(given: str) -> str:
    return given if ":" in given else f"User:{given}"
