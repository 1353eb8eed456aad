"""Files as people have them: each kind rebuilt here, and those of `../shared/field` where they are at hand."""

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
import zstandard

from stream.errors import InputError
from stream.files import BadRow, Options, ReviewRow, Wanted, open_reviews

FIELD = Path(__file__).parents[4] / "shared" / "field" / "inputs"
TEXTS = ["Платье, красивое", "Сапоги жмут; вернула", "Чайник течёт"]


def read(data, name="reviews.csv", **options):
    content = data if isinstance(data, bytes) else data.encode()
    with open_reviews(Path(name), Options(**options), io.BytesIO(content)) as file:
        return file.table.said, list(file), file.table.remarks


def texts(data, name="reviews.csv", **options):
    _, rows, _ = read(data, name, **options)
    assert all(isinstance(row, ReviewRow) for row in rows), rows
    return [row.text for row in rows]


def table(delimiter=",", *, header=("id", "text", "Оценка"), end="\n"):
    rows = [header, *([str(i), f'"{text}"', "5"] for i, text in enumerate(TEXTS))]
    return "".join(delimiter.join(row) + end for row in rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251", "cp866", "koi8-r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_encoding_delimiter_and_line_end(encoding, delimiter, end):
    assert texts(table(delimiter, end=end).encode(encoding)) == TEXTS


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(mark):
    assert texts(table(";").encode(mark)) == TEXTS


def test_what_was_understood_is_said_in_one_line():
    said, _, _ = read("ID отзыва;Текст отзыва;Достоинства\n1;чайник;греет\n".encode("cp1251"))
    assert said == (
        "CSV, Windows-1251, `;`; text from «Текст отзыва», «Достоинства»; id from «ID отзыва»"
    )


def test_a_help_desks_export_has_its_own_ids_and_dates():
    said, (row,), _ = read("Ticket No;Opened at;Body\nT-7;2026-11-30 10:15;no signal\n")
    assert "id from «Ticket No»" in said
    assert (row.review_id, row.text) == ("T-7", "no signal")
    assert row.created_at is not None


def test_an_encoding_that_was_named_is_used():
    data = "id,text\n1,жди\n".encode("koi8-r")
    assert texts(data, encoding="koi8-r") == ["жди"]


WESTERN = [
    "Die Überweisung wurde abgelehnt, bitte um Rückruf.",
    "Ma carte a été refusée à la caisse",
    "¿Dónde está mi tarjeta?",
    "A ligação está lenta",
    "la città è senza rete",
    "räkning för åtta månader",
    "£24.99 was taken",
    "I was charged €39 twice",
    "I don’t know the café – please help",
]


@pytest.mark.parametrize("text", [*WESTERN, "\n".join(WESTERN)])
def test_what_excel_writes_in_western_europe_is_not_taken_for_russian(text):
    assert "\n".join(texts(text.encode("cp1252"), "tickets.txt")) == text


@pytest.mark.parametrize("text", ["Кофта 5 м, € 9", "Wi-Fi роутер", "Размер XL, ткань х/б"])
@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "koi8-r"])
def test_latin_words_and_letters_alone_do_not_hide_russian(text, encoding):
    data = text.encode(encoding, "ignore")
    assert texts(data, "reviews.txt") == [data.decode(encoding)]


PACKED = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("codec", ["zlib", "rot13", "idna", "punycode", "undefined", "a\nb"])
def test_what_is_no_encoding_of_text_is_refused(codec):
    with pytest.raises(InputError, match="there is no encoding"):
        read(table(), encoding=codec)


@pytest.mark.parametrize("codec", ["utf-16", "utf-32"])
def test_a_named_encoding_whose_mark_is_missing_is_refused(codec):
    with pytest.raises(InputError, match="cannot be read as UTF-"):
        read(table().encode(), encoding=codec)


class FailingDisk(io.BytesIO):
    """Gives what was read before, and then fails."""

    def read1(self, size=-1, /):
        if self.tell():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read1(100)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_disk_that_fails_is_told(pack):
    rows = "".join(f"чайник {number}\n" for number in range(1000))
    disk = FailingDisk(pack(rows.encode()))
    with (
        pytest.raises(InputError, match="cannot be read after 100 bytes: Input/output error"),
        open_reviews(Path("reviews.txt"), file=disk) as file,
    ):
        list(file)


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["reviews.csv.{}", "whatever", "-"])
def test_packed_is_read_as_unpacked_whatever_its_name(kind, name):
    assert texts(PACKED[kind](table().encode()), name.format(kind)) == TEXTS


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def test_the_only_file_of_a_zip_is_read_and_a_macs_own_is_not():
    data = zipped(**{"reviews.csv": table(), "__MACOSX__._reviews.csv": "x"})
    assert texts(data, "reviews.zip") == TEXTS


def test_a_zip_of_several_files_names_them():
    with pytest.raises(InputError, match=r"may\.csv, june\.csv"):
        read(zipped(**{"may.csv": table(), "june.csv": table()}), "reviews.zip")


def workbook(rows, *, sheets=("Отзывы",)):
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        for name in sheets[:-1]:
            book.add_worksheet(name)
        sheet = book.add_worksheet(sheets[-1])
        for at, row in enumerate(rows):
            sheet.write_row(at, 0, row)
    return buffer.getvalue()


def test_a_cabinets_report_with_a_title_above_its_header():
    data = workbook(
        [
            ["Отзывы за октябрь"],
            [],
            ["ID отзыва", "Дата", "Артикул", "Текст отзыва", "Достоинства", "Недостатки"],
            ["a1", "01.10.2026 12:30", 100200, "", "Платье мягкое", ""],
            ["a2", "02.10.2026 12:30", 100201, "Сапоги", "", "жмут"],
            ["a3", "03.10.2026 12:30", 100202, "", "", ""],
        ],
        sheets=("Титул", "Отзывы"),
    )
    said, rows, _ = read(data, "report.xlsx")
    assert said == (
        "a workbook, sheet «Отзывы», header in row 3, 1 other sheets not read; text from "
        "«Текст отзыва», «Достоинства», «Недостатки»; id from «ID отзыва»; date from «Дата»"
    )
    assert [getattr(row, "text", row.line) for row in rows] == ["Платье мягкое", "Сапоги\nжмут", 6]
    assert rows[0].metadata == {"Артикул": "100200"}
    assert rows[0].created_at.isoformat() == "2026-10-01T12:30:00+00:00"


def several(**sheets):
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return buffer.getvalue()


COVER = [["Complaints of the energy utility"], ["Made on", "28.11.2026"], ["By", "MUELLERK"]]
YEAR = [
    ["Meldungsnr.", "Langtext"],
    *([f"00{i}", f"Der Zähler läuft falsch {i}"] for i in range(4)),
]
NEXT = [["Meldungsnr.", "Langtext"], ["009", "Der Strom ist weg"]]


def test_a_cover_is_not_read_for_the_sheet_whose_columns_nobody_knows():
    with pytest.raises(InputError, match=r"«Meldungsnr\.», «Langtext»"):
        read(several(Cover=COVER, Y2025=YEAR), "export.xlsx")


def test_without_any_header_the_longest_sheet_is_read():
    said, rows, _ = read(several(Cover=COVER, Y2025=YEAR[1:]), "export.xlsx")
    assert "sheet «Y2025», 1 other sheets not read" in said
    assert [row.review_id for row in rows] == ["000", "001", "002", "003"]


def test_other_sheets_with_the_same_columns_are_named_and_can_be_read():
    data = several(Cover=COVER, Y2025=YEAR, Y2026=NEXT, Sums=[["Zähler", 4]])
    wanted = Wanted(text=("Langtext",))
    said, rows, _ = read(data, "export.xlsx", wanted=wanted)
    assert "3 other sheets not read, «Y2026» with the same columns among them: --sheet" in said
    assert len(rows) == len(YEAR) - 1
    assert texts(data, "export.xlsx", wanted=wanted, sheet="Y2026") == ["Der Strom ist weg"]
    with pytest.raises(InputError, match=r"no sheet 'Y2027'; there are «Cover», «Y2025», «Y2026»"):
        read(data, "export.xlsx", wanted=wanted, sheet="Y2027")


def test_a_separator_line_of_excel_is_no_row():
    assert texts('sep=;\r\nid;text\r\n1;"а; б"\r\n') == ["а; б"]


def test_title_rows_above_a_header_are_no_reviews():
    assert texts("Выгрузка отзывов\n\nМагазин;Север\nid;text\n1;чайник\n") == ["чайник"]


@pytest.mark.parametrize("title", ["Отзывы", "Комментарии;за октябрь", "text"])
def test_a_title_that_is_a_known_word_is_no_header(title):
    assert texts(f"{title}\nid;Отзыв;Оценка\n1;чайник;5\n2;утюг;4\n") == ["чайник", "утюг"]


def test_a_table_of_one_column_with_all_marks_in_its_texts():
    assert texts("Отзыв\nчайник, и течёт; вернула\nутюг | тоже\n") == [
        "чайник, и течёт; вернула",
        "утюг | тоже",
    ]


def test_a_table_without_header_is_told_by_what_stands_in_it():
    said, rows, _ = read("1;Хороший чайник, греет\n2;Плохой утюг, не греет\n")
    assert [(row.review_id, row.text) for row in rows] == [
        ("1", "Хороший чайник, греет"),
        ("2", "Плохой утюг, не греет"),
    ]
    assert "there is no header" in said


TICKETS = [
    ["Tickets of the week"],
    ["Ticket №", "Created", "Body of ticket", "Agent"],
    ["17", "2026-01-02", "My game crashes all the time since the update", "Bob"],
    ["18", "2026-01-03", "I want a refund for the skin that I bought", "Ann"],
]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_names_that_nobody_knows_are_no_review_though_a_title_stands_above_them(form):
    table = "".join(";".join([*row, "", "", ""][:4]) + "\n" for row in TICKETS)
    data = table if form == "csv" else workbook(TICKETS)
    with pytest.raises(InputError, match="«Body of ticket»") as caught:
        read(data, f"tickets.{form}")
    assert "--text-column" in caught.value.remedy
    wanted = Wanted(text=("Body of ticket",))
    assert len(texts(data, f"tickets.{form}", wanted=wanted)) == 2
    with pytest.raises(InputError, match="no column 'Topic'"):
        read(data, f"tickets.{form}", wanted=Wanted(text=("Body of ticket",), label="Topic"))


def test_columns_are_named_by_hand_and_several_texts_are_joined():
    wanted = Wanted(text=("мнение о цвете", "Мнение о форме"), id="nr")
    data = "nr,мнение о цвете,мнение о форме\n7,красный,круглый\n"
    _, (row,), _ = read(data, wanted=wanted)
    assert (row.review_id, row.text) == ("7", "красный\nкруглый")


def test_columns_of_a_table_without_header_are_named_by_number():
    assert texts("а;1;да\nб;2;нет\n", wanted=Wanted(text=("3",))) == ["да", "нет"]


@pytest.mark.parametrize("number", ["0", "4", "9" * 5000])
def test_a_number_of_no_column_is_refused_however_long(number):
    with pytest.raises(InputError, match="there is no column"):
        read("id,text,more\n1,чайник,2\n", wanted=Wanted(text=(number,)))


@pytest.mark.parametrize(
    "wanted", [Wanted(text=("мнение",)), Wanted(id="мнение"), Wanted(label="мнение")]
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(wanted):
    with pytest.raises(InputError, match=r"no column 'мнение'.*«id», «text»"):
        read("id,text\n1,чайник\n", wanted=wanted)
    with pytest.raises(InputError, match=r"no column 'мнение'.*«id», «text»"):
        read(workbook([["id", "text"], ["1", "чайник"]]), "reviews.xlsx", wanted=wanted)


@pytest.mark.parametrize(
    "header",
    ["ReviewId,Comment,Stars", "review_id,feedback,rating", "ИД,Отзыв,Оценка", "Id,BODY,x"],
)
def test_known_names_are_found_in_any_spelling(header):
    _, (row,), _ = read(f"{header}\n7,чайник,5\n", "-")
    assert (row.review_id, row.text) == ("7", "чайник")


def test_a_quote_that_nobody_closed_swallows_no_row():
    _, rows, remarks = read('id,text\n1,"Куртка хорошая\n2,чайник\n3,"ложки"\n4,ремень\n')
    assert [row.text for row in rows] == ['"Куртка хорошая', "чайник", "ложки", "ремень"]
    assert remarks.told() == [
        "1 row, first in line 2: a quote that is not closed was taken as a character"
    ]


def test_a_quote_that_a_later_text_closes_by_chance_swallows_no_row():
    _, rows, _ = read('id,text\n11,"Куртка\n12,чайник\n13,кран 5"\n14,"ремень"\n')
    assert [row.text for row in rows] == ['"Куртка', "чайник", 'кран 5"', "ремень"]


def test_a_letter_of_several_lines_that_begin_with_a_word_and_a_comma_is_one_text():
    letter = "Hello, where is my card?\n\nBest,\nTom"
    assert texts(f'text,label\n"{letter}",card\nagain?,card\n') == [letter, "again?"]


def test_a_last_quote_that_is_never_closed_costs_nothing():
    assert texts('id,text\n1,чайник\n2,"утюг\n') == ["чайник", '"утюг']


@pytest.mark.parametrize("inner", ['"привет"', '\\"привет\\"', '""привет""'])
def test_quotes_within_a_quoted_text_are_kept(inner):
    assert texts(f'id,text,rating\n1,"он сказал {inner}, и ушёл",5\n2,да,5\n') == [
        'он сказал "привет", и ушёл',
        "да",
    ]


def test_a_quoted_text_of_many_lines_stays_one():
    text = "строка\n" * 400
    assert texts(f'id,text\n1,"{text}"\n2,чайник\n') == [text, "чайник"]


def test_in_a_table_of_tabs_quotes_are_characters():
    data = 'id\ttext\n1\t"Зима" куртка, 5"\n2\t"не закрыта\n3\tджек 3.5"\n'
    assert texts(data, "r.tsv") == ['"Зима" куртка, 5"', '"не закрыта', 'джек 3.5"']


SHAPES = {
    "array": [{"id": 1, "text": "чайник"}, {"id": 2, "text": "утюг"}],
    "inside": {"error": False, "data": {"count": 2, "list": [{"id": 1, "text": "чайник"}, {"id": 2, "text": "утюг"}]}},
    "texts": ["чайник", "утюг"],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["r.json", "-", "r.txt"])
def test_json_of_any_shape(shape, indent, name):
    assert texts(json.dumps(SHAPES[shape], indent=indent), name) == ["чайник", "утюг"]


def test_objects_printed_one_after_the_other():
    data = "\n".join(json.dumps(row, indent=2) for row in SHAPES["array"])
    assert texts(data, "r.json") == ["чайник", "утюг"]


def test_a_large_array_is_read_in_pieces_and_numbers_keep_their_digits():
    rows = [{"id": 12345678901234567890 + i, "text": "чайник " * 20} for i in range(5000)]
    _, found, _ = read(json.dumps(rows, ensure_ascii=False), "r.json")
    assert [row.review_id for row in found] == [str(row["id"]) for row in rows]


def test_json_that_ends_in_the_middle_names_the_line():
    with pytest.raises(InputError, match="line 3"):
        read('[\n{"text": "чайник"},\n{"text": "ут', "r.json")


def test_an_answer_of_a_shop_keeps_what_is_nested():
    data = {"feedbacks": [{"id": "a", "pros": "мягкое", "productDetails": {"nmId": 7}}]}
    _, (row,), _ = read(json.dumps(data), "r.json")
    assert (row.text, row.metadata) == ("мягкое", {"productDetails.nmId": "7"})


def test_a_workbook_in_a_zip_or_packed_is_read():
    data = workbook([["id", "Отзыв"], ["1", "чайник"]])
    assert texts(zipped(**{"report.xlsx": data}), "report.zip") == ["чайник"]
    assert texts(gzip.compress(data), "report.xlsx.gz") == ["чайник"]


def test_objects_under_names_of_their_own_are_all_read():
    data = {str(i): {"id": i, "text": text} for i, text in enumerate(TEXTS)}
    assert texts(json.dumps(data), "r.json") == TEXTS


def test_a_list_in_the_place_of_a_text_is_no_text():
    with pytest.raises(InputError, match="known to hold the text"):
        read(json.dumps({"columns": ["id", "text"], "data": [[1, "чайник"]]}), "r.json")


def test_bytes_of_no_text_are_refused():
    with pytest.raises(InputError, match="no text that we know"):
        read(bytes(range(256)) * 20, "r.txt")


def test_parquet_is_read():
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table({"id": [1, 2], "text": ["чайник", "утюг"]}), buffer)
    assert texts(buffer.getvalue(), "r.parquet") == ["чайник", "утюг"]


def test_parquet_of_moments_beyond_all_dates_and_texts_that_do_not_say_so():
    """A moment of the year 148,113 ended the command; bytes were written out as Python spells them."""
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    moments = pyarrow.timestamp("us")
    table = {
        "text": pyarrow.array(["чайник".encode(), "утюг".encode()], pyarrow.binary()),
        "date": pyarrow.array([2**62, 0], moments),
        "more": pyarrow.array([[2**62], None], pyarrow.list_(moments)),
    }
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(table), buffer)
    _, (first, second), _ = read(buffer.getvalue(), "r.parquet")
    assert (first.text, first.created_at) == ("чайник", None)
    assert (second.text, second.created_at.year) == ("утюг", 1970)


NOTHING = ["NULL", "nan", r"\N", "#Н/Д", "-", ".", "Н/Д", "None", "  ", "#N/A", "—"]


@pytest.mark.parametrize("nothing", NOTHING)
def test_what_stands_for_nothing_is_no_text(nothing):
    _, (bad, good), _ = read(f"id,text\n1,{nothing}\n2,нет\n")
    assert isinstance(bad, BadRow)
    assert good.text == "нет"


def test_an_id_that_a_spreadsheet_rounded_is_replaced_kept_and_counted():
    _, rows, remarks = read("id;text\n1,23E+15;чайник\n1,23E+15;утюг\n")
    assert len({row.review_id for row in rows} | {None}) == 1
    assert rows[0].metadata == {"id": "1,23E+15"}
    assert remarks.told() == [
        "2 rows, first in line 2: an id that a spreadsheet rounded: it got one made from its text"
    ]


def test_a_date_that_cannot_be_read_costs_no_review():
    _, (row,), remarks = read("id,text,date\n1,чайник,позавчера\n")
    assert row.metadata == {"date": "позавчера"}
    assert row.created_at is None
    assert "a date that cannot be read" in remarks.told()[0]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"<html><table>", "HTML"),
        (b"Rar!\x1a\x07", "RAR"),
        (gzip.compress(b"id,text\n1," + b"x" * 99, mtime=0)[:-9], "damaged gzip"),
        (b"PK\x03\x04" + b"\0" * 40, "cannot be unpacked"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "workbook"),
    ],
)
def test_what_holds_no_reviews_says_what_it_is(data, what):
    with pytest.raises(InputError, match=what):
        read(data)


# Reviews and rows left out of each file of the field.
EXPECTED = {
    "reviews.csv.gz": (9, 0),
    "reviews_array_pretty.json": (9, 0),
    "reviews_cp1251_semicolon.csv": (9, 0),
    "reviews_dates.jsonl": (14, 0),
    "reviews_excel.xlsx": (9, 0),
    "reviews_headers_on_stdin.csv": (9, 0),
    "reviews_null_texts.csv": (1, 8),
    "reviews_other_headers.csv": (9, 0),
    "reviews_pros_cons.csv": (3, 1),
    "reviews_russian_headers.csv": (9, 0),
    "reviews_shop_api.json": (9, 0),
    "reviews_tsv_quotes.tsv": (4, 0),
    "reviews_unclosed_quote.csv": (5, 0),
    "reviews_utf16_unicode_text.txt": (9, 0),
}


@pytest.mark.skipif(not FIELD.is_dir(), reason="the files of ../shared/field are not at hand")
@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("as_standard_input", [False, True])
def test_a_file_of_the_field_gives_what_it_holds(name, as_standard_input):
    path = FIELD / name
    _, rows, _ = read(path.read_bytes(), "-" if as_standard_input else name)
    good = [row for row in rows if isinstance(row, ReviewRow)]
    assert (len(good), len(rows) - len(good)) == EXPECTED[name]
    assert all(len(row.text) > 5 for row in good)


UNSURE = {
    "cp1250": ["Sukienka skurczyła się po praniu, żałuję", "Buty uwierają w podbiciu, źle"],
    "cp1253": ["Το φόρεμα μπήκε στο πλύσιμο, κρίμα", "Οι μπότες στενεύουν πολύ"],
    "cp1254": ["Elbise yıkamada çekti, şaşırdım", "Çizme dar, ayağım ağrıdı"],
    "cp1255": ["השמלה התכווצה בכביסה", "המגפיים לוחצים מאוד"],
    "cp1257": ["Suknelė po skalbimo susitraukė, gaila", "Batai spaudžia, grąžinau"],
    "shift_jis": ["ワンピースが縮みました", "ブーツがきつい", "やかんが漏れる"],
    "cp949": ["원피스가 세탁 후 줄었어요", "부츠가 꽉 끼어요"],
    "cp037": ["Kettle leaks badly", "Dress shrank after the first wash"],
}


@pytest.mark.parametrize("encoding", UNSURE)
def test_what_is_read_wrongly_in_each_encoding_that_we_know_is_refused_until_it_is_named(encoding):
    """Polish, Greek, Turkish, Japanese were published as reviews of characters that nobody wrote."""
    rows = "".join(f'{n},"{text}"\n' for n, text in enumerate(UNSURE[encoding]))
    data = f"id,text\n{rows}".encode(encoding)
    with pytest.raises(InputError, match=r"in which encoding|name its --encoding|no text"):
        read(data)
    assert texts(data, encoding=encoding) == UNSURE[encoding]


@pytest.mark.parametrize(
    "text",
    [
        "Das Kleid ist eingelaufen, schön wärmer, größer, 15 m² für 50 €",
        "La robe a rétréci, où ça, l´été, dommage, très déçue",
        "Kjóllinn hljóp í þvotti, það er synd, ég skilaði",
        "O vestido encolheu, não recomendo, coração, nº 5",
        "Mekko kutistui pesussa, harmi, älä osta, hyvää päivää, šakki",
        "Kleit tõmbus kokku, õmblused käest ära, väga kehv šokk",
        "Kjolen krympede, ærgerligt, små børn på øen",
        "El vestido encogió, qué lástima ¿no? ¡Añadí uno más!",
    ],
)
def test_languages_of_western_europe_are_not_doubted(text):
    assert texts(f'id,text\n1,"{text}"\n'.encode("cp1252")) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "Хаљина се скупила после прања, чизме стежу",
        "Сукня сіла після прання, шкода, її ґудзики",
        "Сукенка села пасля мыцця, ўжо шкада",
        "Роклята се сви при пране, жалко",
    ],
)
def test_other_languages_in_cyrillic_are_not_doubted(text):
    assert texts(f'id,text\n1,"{text}"\n'.encode("cp1251")) == [text]


def kinds(data, name="reviews.csv", **options):
    """Return the texts, and why the other rows were left out."""
    _, rows, _ = read(data, name, **options)
    good = [row.text for row in rows if isinstance(row, ReviewRow)]
    return good, [row.problem for row in rows if isinstance(row, BadRow)]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_header_once_more_is_no_review(mark):
    """Where one table was put below another, a review of the word "text" was published."""
    one = table()
    good, bad = kinds(mark + one + mark + one)
    assert (good, bad) == (TEXTS * 2, ["the header once more"])


def test_a_review_that_says_what_a_column_is_called_is_one():
    assert texts("id,text\n1,text\n2,Text!\n") == ["text", "Text!"]


@pytest.mark.parametrize(
    "below",
    [
        ",,,Open-Ended Response",
        "номер,когда,звёзд,ваши слова",
        'Номер,Когда,Звёзды,"Напишите отзыв"\n"{""ImportId"":""a""}",,,"{""ImportId"":""b""}"',
    ],
)
def test_what_goes_on_with_a_header_below_it_is_no_review(below):
    """Of surveys the second row holds questions, and the third how their tool calls them."""
    rows = "".join(f'{n},2026-01-0{n},{n},"{text}"\n' for n, text in enumerate(TEXTS, start=1))
    good, bad = kinds(f"id,date,rating,text\n{below}\n{rows}")
    assert good == TEXTS
    assert set(bad) == {"the header goes on in it"}
    assert len(bad) == below.count("\n") + 1


@pytest.mark.parametrize("first", ["1,,нет,Хорошо", ",,,Хорошо", "a1,вчера,5,Хорошо"])
def test_a_first_row_that_lacks_something_is_a_review(first):
    rows = "".join(f'{n},2026-01-0{n},{n},"{text}"\n' for n, text in enumerate(TEXTS, start=2))
    assert texts(f"id,date,rating,text\n{first}\n{rows}") == ["Хорошо", *TEXTS]


def test_a_second_header_of_a_workbook_is_no_review():
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer)
    sheet = book.add_worksheet()
    rows = [["№", "Отзыв", "Оценка"], ["", "покупателя", "звёзд"]]
    for number, cells in enumerate([*rows, *([n, text, n] for n, text in enumerate(TEXTS, 1))]):
        sheet.write_row(number, 0, cells)
    book.close()
    assert kinds(buffer.getvalue(), "r.xlsx") == (TEXTS, ["the header goes on in it"])


PAGES = {
    "a page of Bitrix": '<meta http-equiv="Content-type" content="text/html" />\n<table><tr>',
    "a page of Excel": '\n<!-- x -->\n<html xmlns:o="urn:x"><body><table>',
    "an element": '<reviews>\n<review id="1"><text>Чайник</text></review>\n</reviews>',
    "a letter": "Received: from x\nSubject: =?utf-8?B?0J7?=\nMIME-Version: 1.0\n\n=D0=A7=D0=B0\n",
    "a saved page": "MIME-Version: 1.0\nContent-Type: multipart/related\n\n--x\n<html>\n",
    "a dump of MySQL": "-- dump\nDROP TABLE r;\nINSERT INTO `r` VALUES (1,'Чайник');\n",
    "a dump of Postgres": "--\nSET x = 0;\nCOPY public.r (id, text) FROM stdin;\n1\tЧайник\n",
    "YAML": "- id: 1\n  text: Чайник\n- id: 2\n  text: Утюг\n",
    "cards": "Достоинства: греет\nНедостатки: течёт\nКомментарий: верну\n",
    "a printed table": "id   text           rating\n1    Чайник течёт   5\n",
    "columns parted by a sign of their own": "id^text^rating\n1^Чайник^5\n",
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_lines_of_what_is_no_list_of_texts_are_not_published_one_by_one(name, encoding):
    with pytest.raises(InputError) as caught:
        read(PAGES[name].encode(encoding), "r.xls")
    assert caught.value.remedy


@pytest.mark.parametrize(
    "lines",
    [
        "<p>Чайник <b>течёт</b></p>\n<p>Утюг</p>\n",
        "Плюсы: греет\nТечёт у носика, верну\nУтюг\n",
        "-- так себе\nСет хороший\n",
        "Re: отзыв\nЧайник: течёт\n",
    ],
)
def test_lines_that_are_marked_up_or_begin_with_a_name_are_texts(lines):
    assert texts(lines, "r.txt") == lines.splitlines()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "error", "message": "token expired"},
        {"error": {"code": 401, "message": "token expired"}},
        {"errors": {"message": "token expired"}, "data": None},
    ],
)
def test_an_answer_that_something_went_wrong_is_no_review(answer):
    with pytest.raises(InputError, match="went wrong: 'token expired'"):
        read(json.dumps(answer), "r.json")


def test_a_review_with_a_status_of_its_own_is_one():
    assert texts('{"id": 1, "text": "Чайник", "status": "error", "error": 1}', "r.json") == [
        "Чайник"
    ]
    assert texts('{"error": null, "data": [{"id": 1, "text": "Утюг"}]}', "r.json") == ["Утюг"]


def test_a_comma_after_each_line_of_json_is_no_fault():
    assert texts('{"id": 1, "text": "Чайник"},\n{"id": 2, "text": "Утюг"},\n', "r.json") == [
        "Чайник",
        "Утюг",
    ]


def test_a_text_parted_where_its_marks_begin_is_one_text():
    """Of what Telegram exports each message with a link or a word in bold was lost."""
    parted = ["Утюг ", {"type": "bold", "text": "супер"}, ", беру"]
    messages = [{"id": 1, "text": "Чайник"}, {"id": 2, "text": parted}, {"id": 3, "text": [[1]]}]
    good, bad = kinds(json.dumps({"messages": messages}), "r.json")
    assert (good, len(bad)) == (["Чайник", "Утюг супер, беру"], 1)


def test_parquet_with_objects_lists_and_what_is_no_number():
    """A column of objects named «review» was taken for the text: all rows were empty."""
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    held = {
        "id": pyarrow.array([1, 2]).cast(pyarrow.decimal128(20, 0)),
        "review": [{"text": "чайник", "pros": "греет"}, {"text": "утюг", "pros": None}],
        "shop": pyarrow.array(["a", "a"]).dictionary_encode(),
        "rating": [float("nan"), 5.0],
        "when": pyarrow.array([1790000000123456789, None], pyarrow.timestamp("ns", "UTC")),
    }
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(held), buffer)
    said, (first, second), _ = read(buffer.getvalue(), "r.parquet")
    assert "text from «review.text», «review.pros»" in said
    assert (first.text, second.text, second.review_id) == ("чайник\nгреет", "утюг", "2")
    assert first.metadata == {"shop": "a", "when": "2026-09-21 14:13:20.123456789+00:00"}
    assert second.metadata == {"shop": "a", "rating": "5"}
    lists = io.BytesIO()
    parquet.write_table(pyarrow.table({"id": [1], "text": [["чайник", "утюг"]]}), lists)
    assert texts(lists.getvalue(), "r.parquet") == ["чайник\nутюг"]


def test_quotes_that_a_backslash_escapes_are_those_of_the_text():
    data = (
        "id,text,rating\n"
        '1,"Сказали \\"огонь\\", а он течёт",5\n'
        '2,"Утюг, \\"супер\\"",4\n'
        '3,"Первая \\"строка\\"\\\nвторая",3\n'
        '4,"C:\\\\",2\n'
        '5,"Просто, так",1\n'
    )
    _, rows, remarks = read(data)
    assert [row.text for row in rows] == [
        'Сказали "огонь", а он течёт',
        'Утюг, "супер"',
        'Первая "строка"\nвторая',
        "C:\\\\",
        "Просто, так",
    ]
    assert [row.metadata["rating"] for row in rows] == list("54321")
    assert not remarks.told()


def test_a_space_after_each_delimiter_is_none_of_the_text():
    assert texts('id, text, rating\n1, "Чайник, течёт", 5\n2, "Утюг", 4\n') == [
        "Чайник, течёт",
        "Утюг",
    ]
    assert texts("id, text\n1, Чайник\n") == [" Чайник"]
