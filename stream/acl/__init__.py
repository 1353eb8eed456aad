"""Who may do what on Kafka and Redis: the least that each role needs, printed or applied."""

from stream.acl.roles import ROLES, Role, redis_rules, role_rules
from stream.acl.rules import Operation, Pattern, Resource, Rule

__all__ = [
    "ROLES",
    "Operation",
    "Pattern",
    "Resource",
    "Role",
    "Rule",
    "redis_rules",
    "role_rules",
]
