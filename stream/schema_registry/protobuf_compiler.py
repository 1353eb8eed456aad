"""Protobuf's compiler: texts of schemas in, descriptors out.

It runs as a process of its own. Some schemas end it with a failed check, and it holds everything else up
while it works.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from stream.schema_registry.errors import CompilerMissing, RegistryUnavailable, UnusableSchema

MAIN_FILE: Final = "registered-schema.proto"
_SECONDS: Final = 20.0
"""A hundred times what the largest schemas need."""
_SHOWN: Final = 300
_LONGEST_PATH, _LONGEST_NAME = 1_000, 255
"""Bytes that file systems take, of the whole and of each part."""
# Files that every consumer of Confluent's has without asking, as far as schemas use them. Connect's
# converter imports them.
_CONFLUENT: Final = {
    "confluent/meta.proto": """
        syntax = "proto3";
        package confluent;
        import "google/protobuf/descriptor.proto";
        message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
        extend google.protobuf.FileOptions { Meta file_meta = 1088; }
        extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
        extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
        extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
        extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
    """,
    "confluent/type/decimal.proto": """
        syntax = "proto3";
        package confluent.type;
        message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
    """,
}


def compiled(text: str, parts: Mapping[str, str]) -> Sequence[FileDescriptorProto]:
    """Return the descriptors of a file and all that it imports, each after what it imports itself.

    Args:
        text: the file's; its descriptor is named :data:`MAIN_FILE`.
        parts: texts of files that it imports, by the name it uses.

    Raises:
        UnusableSchema: it does not compile.
        CompilerMissing: the compiler is not installed.
        RegistryUnavailable: it cannot run at the moment, which says nothing about the schema either.
    """
    if find_spec("grpc_tools") is None:
        raise CompilerMissing(
            "Protobuf's compiler is not installed", "pip install 'reviews-stream[protobuf]'"
        )
    files = {**_CONFLUENT, **parts, MAIN_FILE: text}
    _check_names(files)
    try:
        with tempfile.TemporaryDirectory() as made:
            folder, described = Path(made, "files"), Path(made, "described")
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(content, encoding="utf-8", errors="replace")
            _run(folder, described)
            return list(FileDescriptorSet.FromString(described.read_bytes()).file)
    except OSError as error:
        raise RegistryUnavailable(
            f"Protobuf's compiler cannot run here: {error.strerror or error}",
            f"it needs a process, and room for some files in {tempfile.gettempdir()}",
        ) from None


def _run(folder: Path, described: Path) -> None:
    includes = [f"-I{place}" for place in (folder, *_well_known())]
    # -P: a file of a schema must not be taken for a module.
    command = [sys.executable, "-P", "-m", "grpc_tools.protoc", *includes, "--include_imports"]
    try:
        done = subprocess.run(  # noqa: S603 - arguments of ours
            [*command, f"--descriptor_set_out={described}", MAIN_FILE],
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise UnusableSchema(f"the schema does not compile within {_SECONDS:g} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").replace(f"{folder}/", "")
        raise UnusableSchema(f"the schema does not compile as Protobuf: {_told(said)}")


def _told(said: str) -> str:
    """Return what the compiler complained of, on one line, without its own warnings."""
    lines = [line for line in said.splitlines() if not line.startswith(("W0", "WARNING"))]
    return " ".join(" ".join(lines).split())[:_SHOWN] or "its compiler ended without a word"


def _well_known() -> Iterator[Path]:
    """Yield where files are that schemas may import without referring to them."""
    yield Path(str(resources.files("grpc_tools") / "_proto"))
    try:
        google_type = find_spec("google.type")  # of googleapis-common-protos
    except ModuleNotFoundError:
        google_type = None
    for place in (google_type and google_type.submodule_search_locations) or ():
        yield Path(place).parents[1]


def _check_names(files: Mapping[str, str]) -> None:
    """Refuse names that are none of files in a folder.

    Raises:
        UnusableSchema: there is one.
    """
    paths = {PurePosixPath(name): name for name in files}
    for path, name in paths.items():
        usable = path.parts and not path.is_absolute() and ".." not in path.parts
        sizes = [len(part.encode("utf-8", "replace")) for part in path.parts]
        fits = (
            name.isprintable()
            and sum(sizes) <= _LONGEST_PATH
            and max(sizes, default=0) <= _LONGEST_NAME
        )
        if not usable or not fits or any(above in paths for above in path.parents):
            shown = name[:_SHOWN]
            raise UnusableSchema(f"the schema imports {shown!r}, which names no file")
