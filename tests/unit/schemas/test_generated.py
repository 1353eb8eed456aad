import json
import re

import jsonschema
import pytest

from schemas import EVENTS, Category, Review, SourcePosition, TopicNames, all_categories, encode
from schemas.events import CategorizedReview
from schemas.generate import (
    ASYNCAPI_FILE,
    GENERATED,
    asyncapi,
    json_schema,
    rendered,
    schema_file,
    write,
)

REVIEW = Review(review_id="1", text="Платье село")


def test_generated_files_are_up_to_date():
    found = {path.name: path.read_text(encoding="utf-8") for path in GENERATED.glob("*.json")}
    assert found == rendered(), "run `make schemas` and commit what it wrote"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_every_event_has_a_valid_json_schema(event):
    jsonschema.Draft202012Validator.check_schema(json_schema(event))


def test_what_we_encode_passes_the_schema_that_we_publish():
    event = CategorizedReview(
        review=REVIEW,
        category=Category("clothing"),
        confidence=0.9,
        decided_by="model",
        source=SourcePosition(topic="reviews.incoming", partition=0, offset=3),
    )
    jsonschema.validate(json.loads(encode(event)), json_schema(CategorizedReview))


def test_the_schema_tolerates_unknown_fields():
    jsonschema.validate({"review_id": "1", "text": "чайник", "new": True}, json_schema(Review))


def test_the_schema_refuses_a_missing_text():
    with pytest.raises(jsonschema.ValidationError, match="text"):
        jsonschema.validate({"review_id": "1"}, json_schema(Review))


def test_every_reference_in_the_asyncapi_document_leads_somewhere():
    document = asyncapi()
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        if reference.startswith("#/"):
            node = document
            for part in reference[2:].split("/"):
                node = node[part]
        else:
            assert (GENERATED / reference).is_file(), reference


def test_every_topic_of_the_contract_is_a_channel():
    addresses = {channel["address"] for channel in asyncapi()["channels"].values()}
    assert {"reviews.incoming", "reviews.category.{category}", "reviews.dead-letter"} <= addresses


def test_the_category_channel_lists_all_nine_slugs():
    parameter = asyncapi()["channels"]["category"]["parameters"]["category"]
    assert parameter["enum"] == [category.slug for category in all_categories()]


def test_the_document_is_of_the_topics_in_force():
    """Their own prefix, layout and incoming topic: else it describes topics that nobody has."""
    channels = asyncapi(TopicNames("sorted", layout="single", existing="tickets.v2"))["channels"]
    assert channels["incoming"]["address"] == "tickets.v2"
    assert channels["relabel"]["address"] == "sorted.relabel"
    assert channels["category"]["address"] == "sorted.categorized"
    assert "parameters" not in channels["category"]


def test_what_else_is_in_the_folder_stays(tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    written = write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {p.name for p in written} | {"mine.json"}


def test_each_event_has_a_file_of_its_own():
    assert len({schema_file(event) for event in EVENTS} | {ASYNCAPI_FILE}) == len(EVENTS) + 1
