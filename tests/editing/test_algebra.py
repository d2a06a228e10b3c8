"""What holds for every edit of every transcript: it can be undone exactly, and leaves the transcript sound."""

import json
import random
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from diarist.attribution import segment
from diarist.editing import (
    Assign,
    Join,
    Merge,
    Rename,
    Replace,
    Split,
    apply,
    invert,
    read_edits,
    read_operations,
    write_operations,
)
from diarist.formats import FORMATS, render
from diarist.model import codec
from diarist.model.errors import InputError
from diarist.model.transcript import Transcript, Turn, Word

from .transcripts import edits, transcripts


def edited(transcript, data):
    """An edit that can be done, and the transcript after it; None where what was drawn cannot be."""
    edit = data.draw(edits(transcript))
    try:
        return edit, apply(transcript, edit)
    except InputError:
        return None


def assert_sound(transcript):
    starts = [part.start for part in transcript.segments]
    assert starts == sorted(starts)
    for part in transcript.segments:
        assert part.text or not part.words
        for word in part.words:
            assert part.start <= word.start <= word.end <= part.end
        for before, after in pairwise(part.words):
            assert before.start <= after.start
    assert [turn.start for turn in transcript.turns] == sorted(turn.start for turn in transcript.turns)
    named = {item.speaker for item in (*transcript.segments, *transcript.words, *transcript.turns)} - {None}
    assert named <= set(transcript.speakers)
    assert len(set(transcript.speakers)) == len(transcript.speakers)


@given(transcripts(), st.data())
@settings(max_examples=400, deadline=None)
def test_undoing_gives_an_equal_transcript_and_doing_it_again_the_edited_one(transcript, data):
    if done := edited(transcript, data):
        edit, after = done
        undo = invert(transcript, edit)
        assert apply(after, undo) == transcript
        assert codec.dump(apply(after, undo)) == codec.dump(transcript)
        redo = invert(after, undo)
        assert apply(transcript, redo) == after


@given(transcripts(), st.data())
@settings(max_examples=400, deadline=None)
def test_times_stay_in_order_and_inside_and_every_label_is_a_speakers(transcript, data):
    assert_sound(transcript)
    if done := edited(transcript, data):
        assert_sound(done[1])


@given(transcripts(), st.data())
@settings(max_examples=60, deadline=None)
def test_every_format_renders_what_was_edited_and_the_json_reads_back(transcript, data):
    if done := edited(transcript, data):
        after = done[1]
        for name in FORMATS:
            timed = all(part.words or not part.text for part in after.segments)
            with nullcontext() if timed or name != "ctm" else pytest.raises(InputError, match="a time for every word"):
                render(after, name)
        assert codec.load(Transcript, json.loads(render(after, "json"))) == after


@given(transcripts(), st.data())
@settings(max_examples=200, deadline=None)
def test_operations_and_what_undoes_them_travel_as_json(transcript, data):
    if done := edited(transcript, data):
        edit, _ = done
        undo = invert(transcript, edit)
        assert read_operations(write_operations([edit, undo])) == (edit, undo)
        assert read_edits(write_operations([edit])) == (edit,)


@given(transcripts(), st.data())
@settings(max_examples=200, deadline=None)
def test_words_that_stay_keep_all_that_is_known_of_them(transcript, data):
    """No word that is in both, at its time, lost or gained a measured value."""
    if done := edited(transcript, data):
        known = {(word.start, word.end, word.text, word.confidence) for word in transcript.words}
        for word in done[1].words:
            assert word.confidence is None or (word.start, word.end, word.text, word.confidence) in known


@given(transcripts(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_transcript_in_any_disorder_comes_back_as_it_was(transcript, data):
    """Files of others may hold anything: segments in no order, texts that are not their words', strange labels."""
    parts = list(data.draw(st.permutations(transcript.segments)))
    for number, part in enumerate(parts[:2]):
        words = tuple(data.draw(st.permutations(part.words)))
        words = (*words, Word(3, 3, "", 0.5, "\x1b[31m")) if words and number else words
        parts[number] = replace(part, words=words, text="other " + part.text)
    transcript = replace(transcript, segments=tuple(parts), speakers=("nobody", *transcript.speakers, "nobody", ""))
    if done := edited(transcript, data):
        edit, after = done
        undo = invert(transcript, edit)
        assert apply(after, *read_operations(write_operations([undo]))) == transcript
        render(after, "html")


class History(RuleBasedStateMachine):
    """An editor: edits, undo and redo in any order, always the transcript that was there before."""

    @initialize(transcript=transcripts())
    def begin(self, transcript):
        self.original = self.now = transcript
        self.undos, self.redos = [], []

    @rule(data=st.data())
    def edit(self, data):
        if done := edited(self.now, data):
            self.undos.append((invert(self.now, done[0]), self.now))
            self.now, self.redos = done[1], []

    @rule()
    def undo(self):
        if self.undos:
            back, was = self.undos.pop()
            self.redos.append((invert(self.now, back), self.now))
            self.now = apply(self.now, back)
            assert self.now == was

    @rule()
    def redo(self):
        if self.redos:
            again, was = self.redos.pop()
            self.undos.append((invert(self.now, again), self.now))
            self.now = apply(self.now, again)
            assert self.now == was

    @invariant()
    def is_sound(self):
        assert_sound(self.now)

    def teardown(self):
        for back, _ in reversed(getattr(self, "undos", [])):
            self.now = apply(self.now, back)
        assert not hasattr(self, "now") or self.now == self.original


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_edits_are_undone_one_by_one(seed):
    """On a conversation of a hundred lines, by edits drawn at random."""
    rng = random.Random(seed)
    words = [
        Word(n / 2, n / 2 + 0.4, rng.choice(["yes", "no.", "maybe", "今天"]), 0.9, f"S{n // 20 % 3}")
        for n in range(800)
    ]
    original = Transcript(
        duration=401,
        language="en",
        speakers=("S0", "S1", "S2"),
        segments=segment(words, "en"),
        turns=tuple(Turn(n * 10, n * 10 + 10, f"S{n % 3}", 0.9) for n in range(40)),
        models=(),
    )
    now, undos, done = original, [], 0
    while done < 1000:
        edit = _random_edit(now, rng, done)
        try:
            after = apply(now, edit)
        except InputError:
            continue
        undos.append(invert(now, edit))
        now, done = after, done + 1
    assert_sound(now)
    assert now != original
    for undo in reversed(undos):
        now = apply(now, undo)
    assert now == original


def _random_edit(now, rng, number):
    first = rng.randrange(max(1, len(now.words)))
    stop = first + rng.randrange(4)
    text = " ".join(rng.choice(["yes", "no.", "well", "今天", "天"]) for _ in range(rng.randrange(5)))
    place = rng.randrange(len(now.segments))
    who = rng.choice(now.speakers)
    return rng.choice(
        [
            Replace(first, stop, text),
            Replace(first, stop, text),
            Assign(first, stop, rng.choice([*now.speakers, f"new {number}"])),
            Split(first),
            Join(place, place + 2),
            Rename({who: f"name {number}"}),
            *([Merge((who,), rng.choice(now.speakers))] if rng.random() < 0.1 else []),
        ]
    )
