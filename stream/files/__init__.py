"""Files of reviews and of labels as people have them: one reader for every command.

::

    container   gzip, zstd, zip, ... and what is inside   ──► bytes                pieces, unpacking
    encoding    UTF-8, UTF-16, Windows-1251, CP866, ...   ──► text
    recognition tables, lines or JSON; which kind of each
    dialect     delimiter, quotes, header                 ──► records of a table   table_rows
    json_shapes lines, arrays, objects                    ──► likewise             json_tables
    sheets      xlsx, ods, xls                            ──► likewise
    columns     which column is what
    values      words, ids, dates
    reviews     a record as a review, or why it is left out
"""

from stream.files.columns import Wanted
from stream.files.container import STDIN, check_readable
from stream.files.ids import IdDeriver, IdLedger, derived_id
from stream.files.reviews import ReviewFile, open_reviews
from stream.files.rows import BadRow, Reason, ReviewRow, why_invalid
from stream.files.table import Format, Options, format_of

__all__ = [
    "STDIN",
    "BadRow",
    "Format",
    "IdDeriver",
    "IdLedger",
    "Options",
    "Reason",
    "ReviewFile",
    "ReviewRow",
    "Wanted",
    "check_readable",
    "derived_id",
    "format_of",
    "open_reviews",
    "why_invalid",
]
