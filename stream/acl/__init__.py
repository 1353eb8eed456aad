"""Who may do what on Kafka and Redis: the least that each role needs, printed or applied."""

from stream.acl.roles import ROLES, Role, redis_rules, role_rules
from stream.acl.rules import AclRule, Operation, Pattern, Resource

__all__ = [
    "ROLES",
    "AclRule",
    "Operation",
    "Pattern",
    "Resource",
    "Role",
    "redis_rules",
    "role_rules",
]
