"""The split: by dialogue, stable, and without near-duplicates across its sides."""

import random

import numpy as np
import pytest
from annotated_rows import annotated_row, read_jsonl, write_rows
from hypothesis import given
from hypothesis import strategies as st

from thanos.data.near_duplicates import NearDuplicates
from thanos.data.split import split
from thanos.data.turn_id import TurnId, parse_turn_id
from thanos.data.words import words
from thanos.errors import ThanosError

pytest.importorskip("datasketch")

SHARES = {"validation": 0.2, "test": 0.2}


def sides(tmp_path, rows, shares=SHARES):
    """Id -> part."""
    report = split(write_rows(tmp_path / "in.jsonl", rows), tmp_path / "parts", shares)
    found = {row["id"]: path.stem for path in (tmp_path / "parts").glob("*.jsonl") for row in read_jsonl(path)}
    assert sum(report.rows.values()) == len(found) == len(rows)
    return found


@given(
    st.from_regex(r"[a-z_0-9]+", fullmatch=True), st.text(min_size=1).filter(lambda t: t != ":"), st.integers(0, 10**6)
)
def test_ids_come_apart_as_they_were_put_together(source, dialogue_id, index):
    assert parse_turn_id(str(TurnId(source, dialogue_id, index))) == (source, dialogue_id, index)


def test_ids_of_another_form_are_dialogues_of_their_own():
    assert parse_turn_id("17") == ("", "17", -1)
    assert parse_turn_id("17", "soda") == ("soda", "17", -1)
    assert parse_turn_id("a:b:c") == ("a", "b:c", -1)
    assert parse_turn_id("a:b:c:4", source="a:b") == ("a:b", "c", 4)


def test_all_turns_of_a_dialogue_stay_together_and_shares_are_about_right(tmp_path):
    rows = [annotated_row(n, turn) for n in range(300) for turn in (3, 7, 11)]
    random.Random(0).shuffle(rows)
    found = sides(tmp_path, rows)
    for n in range(300):
        assert len({found[f"ours:{n}:{turn}"] for turn in (3, 7, 11)}) == 1
    counts = [sum(side == part for side in found.values()) / 900 for part in ("train", "validation", "test")]
    assert counts == pytest.approx([0.6, 0.2, 0.2], abs=0.07)


def test_growth_and_order_move_nothing(tmp_path):
    rows = [annotated_row(n) for n in range(200)]
    before = sides(tmp_path, rows[:80])
    after = sides(tmp_path, rows[::-1])
    assert {id: after[id] for id in before} == before


def twin(number, name):
    row = annotated_row(number, turn=9, source=name)
    row["dialogue"][4]["text"] += " Hm, well."
    return row


def test_near_duplicate_dialogues_share_a_side_and_train_never_loses_one(tmp_path):
    rows = [annotated_row(n, turn=9) for n in range(150)]
    alone = sides(tmp_path, rows)
    together = sides(tmp_path, rows + [twin(n, "copy") for n in range(150)])
    order = ["test", "validation", "train"]
    for n in range(150):
        id = f"ours:{n}:9"
        assert together[id] == together[f"copy:{n}:9"]
        assert order.index(together[id]) >= order.index(alone[id])
    assert any(together[id] != alone[id] for id in alone)


def test_a_short_beginning_finds_its_duplicate_through_the_longest_row(tmp_path):
    rows = [annotated_row(n, turn) for n in range(60) for turn in (3, 9)] + [twin(n, "copy") for n in range(60)]
    found = sides(tmp_path, rows)
    assert all(found[f"ours:{n}:3"] == found[f"copy:{n}:9"] for n in range(60))


def test_rows_without_an_id_are_told_and_the_others_split(tmp_path):
    path = tmp_path / "in.jsonl"
    write_rows(path, [annotated_row(1), {"dialogue": []}, annotated_row(2)])
    path.write_text(path.read_text() + "nonsense\n")
    report = split(path, tmp_path / "parts", SHARES)
    assert report.bad == 2 and report.faults[0][0] == 2 and report.faults[1][0] == 4
    assert sum(report.rows.values()) == 2


@pytest.mark.parametrize("shares", [{"test": 1.0}, {"test": -0.1}, {"test": 0.5, "validation": 0.5}])
def test_impossible_shares_are_refused(tmp_path, shares):
    with pytest.raises(ThanosError, match="shares"):
        split(write_rows(tmp_path / "in.jsonl", [annotated_row(1)]), tmp_path, shares)


def test_a_file_with_nothing_to_split_is_an_error(tmp_path):
    for rows in ([], [{"turns": 3}]):
        with pytest.raises(ThanosError, match="nothing to split"):
            split(write_rows(tmp_path / "in.jsonl", rows), tmp_path, SHARES)


def jaccard(a: str, b: str) -> float:
    left, right = (set(zip(w, w[1:], w[2:], strict=False)) for w in (words(a), words(b)))
    return len(left & right) / len(left | right)


def test_near_duplicates_are_those_of_the_exact_measure(tmp_path):
    rng = random.Random(3)
    vocabulary = [f"w{i}" for i in range(3000)]
    texts = [[rng.choice(vocabulary) for _ in range(80)] for _ in range(60)]
    for text in list(texts):
        for changes in (1, 3, 6, 12, 25):
            other = list(text)
            for place in rng.sample(range(80), changes):
                other[place] = rng.choice(vocabulary)
            texts.append(other)
    texts = [" ".join(text) for text in texts]
    with NearDuplicates() as sketches:
        for i, text in enumerate(texts):
            sketches.add(i, i, text)
        found = {tuple(pair) for pair in sketches.pairs(0.8).tolist()}
    exact = {(i, j): jaccard(texts[i], texts[j]) for j in range(len(texts)) for i in range(j)}
    sure = {pair for pair, value in exact.items() if value > 0.9}
    assert len(sure) > 50 and sure <= found
    assert all(exact[pair] > 0.68 for pair in found)


def test_a_thousand_copies_are_tied_to_the_first_in_linear_space():
    with NearDuplicates() as sketches:
        for i in range(1000):
            sketches.add(i, i, "the very same words again and again")
        pairs = sketches.pairs(0.8)
    assert set(pairs[:, 1].tolist()) == set(range(1, 1000)) and len(pairs) < 10_000
    assert {j for i, j in pairs.tolist() if i == 0} == set(range(1, 1000))
    assert (pairs[:, 0] < pairs[:, 1]).all() and (np.diff(pairs[:, 1].astype(int)) >= 0).all()


def test_texts_of_one_group_and_texts_of_two_words_are_left_alone():
    with NearDuplicates() as sketches:
        for i, text in enumerate(["yes indeed", "yes indeed", "so it was said", "so it was said"]):
            sketches.add(i, 7, text)
        assert len(sketches.pairs(0.8)) == 0
