"""``python -m tests.faults.fuzz_files``: damaged files of all kinds through the reader, by the thousand.

Each file is a table of reviews in some form, encoding and packing, and then damaged: bytes flipped, cut,
doubled, spliced; quotes, delimiters and line ends put in and taken out. Whatever comes of it, the reader
raises nothing but what it documents, ends in time, and invents no text: each word of each review stands
in the file. Of a file that was not damaged each review comes out.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import re
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import xlsxwriter
import zstandard
from rich.console import Console

from stream.errors import ReviewsError
from stream.files import Options, ReviewRow, open_reviews
from stream.files.container import opened
from stream.files.encoding import encoding_of
from stream.files.labels import label_rows, open_labels

_messages: Final = Console(stderr=True)
# No file of a few kilobytes takes longer, on a machine that does other things besides.
_SLOW_SECONDS: Final = 5.0
_WORDS: Final = (
    "платье", "чайник", "течёт", "сапоги", "жмут", "хорошо", "пришла", "со", "сколом", "не", "греет",
    "5", "доставка", "«Зима»", "размер", "мал,", "верну;", "ёмкий", "👍", "it's", "=1", "и\nснова",
)  # fmt: skip
_ENCODINGS: Final = ("utf-8", "utf-8-sig", "utf-16", "cp1251", "cp866", "koi8-r")
_DELIMITERS: Final = (",", ";", "\t", "|")
_HEADERS: Final = (
    ("id", "text", "rating"), ("ID отзыва", "Текст отзыва", "Оценка"), ("ReviewId", "Comment", "Stars"),
    ("id", "text", "category"),
)  # fmt: skip


def _zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("reviews.csv", data)
    return buffer.getvalue()


_PACKINGS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "": lambda data: data,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zip": _zipped,
}
_LETTERS: Final = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Made:
    """A file and what is in it."""

    kind: str
    name: str
    content: bytes
    texts: list[str]


@dataclass(slots=True)
class Tally:
    """What became of the files."""

    files: int = 0
    reviews: int = 0
    left_out: int = 0
    refused: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def make(rng: random.Random) -> Made:
    """Make a whole file of any kind."""
    rows = [
        (str(1000 + i), " ".join(rng.choices(_WORDS, k=rng.randint(3, 12))), str(rng.randint(1, 5)))
        for i in range(rng.randint(3, 12))
    ]
    kind = rng.choice(["csv", "csv", "csv", "json", "jsonl", "lines", "xlsx", "inside"])
    header = rng.choice(_HEADERS)
    encoding = rng.choice(_ENCODINGS)
    if encoding in {"cp1251", "cp866", "koi8-r"}:
        # Pictures are lost; of a text of nothing else a word is left.
        kept = (text.encode(encoding, "ignore").decode(encoding).strip() for _, text, _ in rows)
        rows = [(a, text or "чайник", c) for (a, _, c), text in zip(rows, kept, strict=True)]
    texts = [text for _, text, _ in rows]
    if kind == "xlsx":
        return Made(kind, "reviews.xlsx", _workbook(header, rows), texts)
    if kind == "lines":
        texts = [text.replace("\n", " ") for text in texts]
        content = "\n".join(texts)
    elif kind == "csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, delimiter=rng.choice(_DELIMITERS), lineterminator="\r\n")
        writer.writerows([header, *rows])
        content = buffer.getvalue()
    else:
        content = _json(kind, [dict(zip(header, row, strict=True)) for row in rows], rng)
        encoding = rng.choice(["utf-8", "utf-8-sig"])
    packing = rng.choice([*[""] * 8, *_PACKINGS])
    data = _PACKINGS[packing](content.encode(encoding))
    suffix = {"csv": "csv", "lines": "txt", "jsonl": "jsonl"}.get(kind, "json")
    name = rng.choice([f"reviews.{suffix}", "-"]) if kind != "csv" else f"reviews.{suffix}"
    return Made(f"{kind} {packing}".strip(), name, data, texts)


def _json(kind: str, objects: list[dict[str, str]], rng: random.Random) -> str:
    if kind == "jsonl":
        return "\n".join(json.dumps(o, ensure_ascii=False) for o in objects)
    shape: Any = {"error": False, "data": {"feedbacks": objects}} if kind == "inside" else objects
    return json.dumps(shape, ensure_ascii=False, indent=rng.choice([None, 2]))


def _workbook(header: tuple[str, ...], rows: list[tuple[str, str, str]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate([header, *rows]):
            for column, cell in enumerate(row):
                sheet.write_string(at, column, cell)
    return buffer.getvalue()


_TOKENS: Final = (
    b'"', b'""', b",", b";", b"\t", b"\n", b"\r", b"\0", b"{", b"}", b"[", b"]", b"\\", b"\xff", b"\xd0",
    b"sep=;\n", b"\xef\xbb\xbf", b"\xff\xfe", b"PK\x03\x04", b"\x1f\x8b", b"NULL", b'"\n"', b"text",
    b"=1+1", b"\\ud83d", b"1e400", b"NaN", b"-" * 70, b'{"text":', b"id,text\n",
)  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return the file with one to eight kinds of damage."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.randint(1, 40))
        action = rng.randrange(6)
        if action == 0:
            data[at:at] = rng.choice(_TOKENS)
        elif action == 1:
            del data[at:to]
        elif action == 2:
            data[at:at] = data[at:to] * rng.randint(1, 20)
        elif action == 3 and at < len(data):
            data[at] = rng.randrange(256)
        elif action == 4:
            data[at:to] = rng.choice(_TOKENS)
        else:
            other = rng.randrange(len(data) + 1)
            data[other:other] = data[at:to]
        if rng.random() < 0.05:
            del data[rng.randrange(len(data) + 1) :]
    return bytes(data)


def judge(made: Made, *, whole: bool, tally: Tally) -> None:
    """Read a file, and note what must not be."""
    tally.files += 1
    tally.by_kind[made.kind] += 1
    started = time.monotonic()
    try:
        with open_reviews(Path(made.name), Options(), io.BytesIO(made.content)) as file:
            rows = list(file)
        with open_labels(Path(made.name), Options(), io.BytesIO(made.content)) as table:
            labels = sum(1 for _ in label_rows(table))
    except ReviewsError as error:
        tally.refused += 1
        if whole or not error.message:
            tally.faults.append(f"{made.kind}: refused: {error.message}")
        return
    except Exception as error:  # noqa: BLE001 - it is what is looked for
        tally.faults.append(f"{made.kind}: {type(error).__name__}: {error}")
        return
    if labels != len(rows):
        tally.faults.append(f"{made.kind}: {labels} rows of labels, {len(rows)} of reviews")
    good = [row for row in rows if isinstance(row, ReviewRow)]
    tally.reviews += len(good)
    tally.left_out += len(rows) - len(good)
    if time.monotonic() - started > _SLOW_SECONDS:
        tally.faults.append(f"{made.kind}: took longer than {_SLOW_SECONDS} s")
    if whole and [row.text for row in good] != made.texts:
        tally.faults.append(f"{made.kind}: {made.texts} came out as {[row.text for row in good]}")
    if invented := _invented(made, good):
        tally.faults.append(f"{made.kind}: invented {invented}")


def _invented(made: Made, rows: list[ReviewRow]) -> list[str]:
    """Return words of reviews that do not stand in the file."""
    if made.kind == "xlsx":
        return []  # packed by a library of its own; a damaged one seldom opens
    with opened(Path(made.name), io.BytesIO(made.content)) as source:
        if source.content != "text":
            return []
        data = source.pieces.read()
    text = data.decode(encoding_of(data[: 256 * 1024]).codec, "replace")
    if "\\u" in text:
        return []  # escapes of JSON
    words = {word for row in rows for word in _LETTERS.findall(row.text)}
    return [word for word in words if word not in text and "\\" not in text]


def fuzz_files(files: int, seed: int, seconds: float = float("inf")) -> Tally:
    """Read so many files, or as many as the time allows; one in ten is whole."""
    rng, tally = random.Random(seed), Tally()
    end = time.monotonic() + seconds
    while tally.files < files and time.monotonic() < end:
        made = make(rng)
        whole = rng.random() < 0.1
        if not whole:
            made = Made(made.kind, made.name, damaged(made.content, rng), made.texts)
        judge(made, whole=whole, tally=tally)
    return tally


def main(
    files: Annotated[int, typer.Option(min=1, help="Files to read.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the damage.")] = 1,
    seconds: Annotated[float, typer.Option(min=1, help="At most.")] = 3600.0,
) -> None:
    """Read damaged files, and say what must not have been."""
    started = time.monotonic()
    tally = fuzz_files(files, seed, seconds)
    passed = time.monotonic() - started
    _messages.print(
        f"{tally.files:,} files in {passed:.0f} s: {tally.reviews:,} reviews, {tally.left_out:,} rows "
        f"left out, {tally.refused:,} files refused, {len(tally.faults):,} faults"
    )
    _messages.print(dict(tally.by_kind.most_common()))
    for fault in tally.faults[:20]:
        _messages.print(fault, markup=False)
    if tally.faults:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
