"""What the monitor's page says in English: it watches streams of any texts, so it names none."""

import re

from stream.monitor.web import PAGE

_COMMANDS = r"(work|produce|monitor|guard|quality|consume|calibrate|model|doctor|topics|retrain|label|queue)\b"


def test_no_phrase_calls_a_ticket_a_review():
    english = (PAGE / "words.js").read_text(encoding="utf-8").partition('locale: "en-GB"')[2]
    assert "texts/s" in english
    assert re.findall(rf"\breviews?\b(?! {_COMMANDS}|:).*", english, re.IGNORECASE) == []
