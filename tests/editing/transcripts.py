"""Transcripts and edits for hypothesis: what engines make, what files of others hold, and what people do to them."""

from hypothesis import strategies as st

from diarist.editing import Assign, Join, Merge, Rename, Replace, Split
from diarist.model.transcript import Segment, Transcript, Turn, Word, join_words

PEOPLE = ("Ann", "Ben", "Çelik", "王")
TEXTS = (
    "so",
    "the",
    "the",
    "Hello,",
    "world.",
    "3.5",
    "quoi ?",
    "(yes)",
    "今天",
    "天氣",
    "好。",
    "สวัสดี",
    "שלום",
    "مرحبا،",
    "Excel",
)
people = st.sampled_from(PEOPLE)
somebody = st.none() | people
two_or_nobody = st.sampled_from(("Ann", "Ann", "Ben", None))  # so that one often goes on
millis = st.integers(0, 2000).map(lambda n: n / 1000)
chance = st.none() | st.integers(0, 10_000).map(lambda n: n / 10_000)


@st.composite
def lines(draw, at):
    """A segment that begins at a time or later; one in five has no times for its words."""
    start = at + draw(millis)
    who = draw(two_or_nobody)
    if draw(st.integers(0, 4)) == 0:
        text = " ".join(draw(st.lists(st.sampled_from(TEXTS), min_size=0, max_size=4)))
        return Segment(start, start + draw(millis), who, text, ())
    words, time = [], start
    for _ in range(draw(st.integers(1, 6))):
        length = draw(millis)
        words.append(
            Word(
                time,
                time + length,
                draw(st.sampled_from(TEXTS)),
                draw(chance),
                who,
                draw(chance),
                draw(st.booleans()),
                draw(st.sampled_from([None, True, False])),
            )
        )
        time += draw(millis)
    end = max(word.end for word in words)
    return Segment(start, end, who, join_words(words, "en"), tuple(words))


@st.composite
def transcripts(draw):
    """Segments in order of time, which may overlap; turns that have little to do with them, or none."""
    segments, at = [], 0.0
    for _ in range(draw(st.sampled_from([0, 1, 2, 3, 4, 6, 6, 6]))):
        segments.append(draw(lines(at)))
        at = segments[-1].start
    labels = dict.fromkeys(part.speaker for part in segments if part.speaker)
    turns = []
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, 8000)) / 1000
        turns.append(Turn(start, start + draw(millis), draw(people), draw(chance)))
    turns.sort(key=lambda turn: turn.start)
    labels.update(dict.fromkeys(turn.speaker for turn in turns))
    return Transcript(
        duration=max([20.0, *(part.end for part in segments)]),
        language=draw(st.sampled_from([None, "en", "zh", "ar"])),
        speakers=tuple(labels),
        segments=tuple(segments),
        turns=tuple(turns),
        models=(),
    )


def counted(transcript):
    """How many words there are to edit."""
    return sum(len(part.words) or bool(part.text) for part in transcript.segments)


@st.composite
def edits(draw, transcript):
    """An edit of any kind; most fit the transcript, some do not."""
    labels = [*transcript.speakers, "Ann"]
    number = counted(transcript)
    first = draw(st.integers(0, max(0, number - 1)))
    stop = draw(st.integers(first, min(number, first + 5)))
    match draw(
        st.sampled_from(["rename", "merge", "split", "join", "assign", "assign", "replace", "replace", "replace"])
    ):
        case "rename":
            shuffled = draw(st.permutations([*transcript.speakers]))
            swap = dict(zip(transcript.speakers, shuffled, strict=True))
            return Rename(draw(st.sampled_from([swap, {labels[0]: "Zoë"}, {labels[-2 % len(labels)]: "Zoë"}])))
        case "merge":
            who = draw(st.lists(st.sampled_from(labels), min_size=1, max_size=3))
            return Merge(tuple(who), draw(st.sampled_from([*labels, "Both"])))
        case "split":
            return Split(first)
        case "join":
            start = draw(st.integers(0, max(0, len(transcript.segments) - 2)))
            return Join(start, start + draw(st.sampled_from([2, 2, 2, 3])))
        case "assign":
            return Assign(first, max(stop, first + 1), draw(somebody | st.just("Newcomer")))
        case _:
            texts = [word for part in transcript.segments for word in ([w.text for w in part.words] or [part.text])]
            new = [*texts[first:stop], *draw(st.lists(st.sampled_from(TEXTS), max_size=4))]
            chosen = draw(st.lists(st.sampled_from(new), max_size=5)) if new else []
            return Replace(first, stop, draw(st.sampled_from([" ", "", "  "])).join(chosen))
