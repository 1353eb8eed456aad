"""What the monitor's addresses answer, for the property-based tester. The monitor publishes no document."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"text/plain": {"schema": {"type": "string"}}}


def _says(description: str, *media_types: str) -> dict[str, Any]:
    return {"description": description, "content": {name: {} for name in media_types}}


_NOTHING: Final = {"description": "nothing"}
_PLAIN: Final = _says("a line", "text/plain")


def _get(responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"get": {"responses": responses, **more}}


def _parameter(name: str, where: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": {"type": "string"}}


DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "Monitor", "version": "1"},
    "paths": {
        "/": _get({"200": _says("the page", "text/html")}),
        "/page/{name}": _get(
            {
                "200": _says("a file", "text/html", "text/css", "text/javascript", "image/svg+xml"),
                "404": _PLAIN,
            },
            parameters=[_parameter("name", "path")],
        ),
        "/session": {
            "get": {"responses": {"204": _NOTHING, "403": _NOTHING}},
            "delete": {"responses": {"204": _NOTHING}},
            "post": {
                "requestBody": {"content": _TEXT},
                "responses": {
                    "204": _NOTHING,
                    **dict.fromkeys(("403", "408", "413", "429"), _PLAIN),
                },
            },
        },
        "/events": _get(
            {"401": _PLAIN, "503": _PLAIN, "200": _says("a stream", "text/event-stream")},
            parameters=[_parameter("span", "query")],
        ),
        "/livez": _get({"200": _PLAIN}),
        "/readyz": _get({"200": _PLAIN, "503": _PLAIN}, parameters=[_parameter("verbose", "query")]),
        "/metrics": _get({"200": _PLAIN}),
    },
}  # fmt: skip
