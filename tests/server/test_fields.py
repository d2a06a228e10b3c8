"""What clients send, and what it asks: replays of real clients, every spelling, and every refusal by its name."""

import base64
import contextlib
import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.jobs.wire_errors import FieldError
from diarist.model.options import Options
from diarist.server.fields import (
    Ask,
    ask_from,
    flattened,
    identity,
    in_format,
    read_asr,
    read_detect_language,
    read_diarization,
    read_job,
    read_transcription,
    read_translation,
    recording_in,
    work_of,
)
from diarist.server.models import Model, Models

BASE = Models([Model(name="whisper-base")])
BARE = Models([Model(name="parakeet", takes=frozenset())])


@dataclass(frozen=True)
class Upload:
    field: str
    path: Path = Path("clip.wav")
    num_bytes: int = 5
    sha256: str = "5" * 64


FILE = Upload("file")


def read(*pairs, files=(FILE,), models=BASE, by=read_transcription, **said):
    return by([*pairs, *said.items()], files, models=models)


def refusal(*pairs, **arguments):
    with pytest.raises(FieldError) as caught:
        read(*pairs, **arguments)
    error = caught.value
    assert error.http_status == (404 if error.code == "model_not_found" else 400)
    assert len(str(error)) < 800
    assert str(error).isprintable()
    return error


def asks(**known):
    """The ask of a plain request, but for what is given; fields of `Options` among them."""
    of_options = {name: known.pop(name) for name in list(known) if name in Options.__dataclass_fields__}
    return Ask(options=Options(**{"diarize": False, **of_options}), model="whisper-base", **known)


def data_url(data):
    return f"data:audio/wav;base64,{base64.b64encode(data).decode()}"


A_CLIP, B_CLIP = data_url(b"RIFFa"), data_url(b"RIFFb")


def sha(data):
    return hashlib.sha256(data).hexdigest()


DIARIZED = {"response_format": "diarized_json", "text_speakers": True, "diarize": True}

# As each client writes it, in the releases of late 2026.
REPLAYS = {
    "Speakr, first piece": (
        [
            ("model", "gpt-4o-transcribe-diarize"),
            ("chunking_strategy", "auto"),
            ("response_format", "diarized_json"),
            ("language", "en"),
        ],
        asks(**DIARIZED, language="en"),
    ),
    "Speakr, without speakers": (
        [("model", "gpt-4o-transcribe"), ("prompt", "The weekly meeting. Kubernetes, Anna")],
        asks(ignored=("prompt",)),
    ),
    "Open WebUI": ([("model", "whisper-1"), ("language", "de")], asks(language="de")),
    "Open WebUI, once more without language": ([("model", "whisper-1")], asks()),
    "Home Assistant": (
        [
            ("model", "whisper-1"),
            ("language", "en-US"),
            ("prompt", ""),
            ("temperature", "0"),
            ("response_format", "json"),
        ],
        asks(language="en"),
    ),
    "n8n": ([("model", "whisper-1"), ("language", ""), ("temperature", "0.7")], asks(temperature=0.7)),
    "LiteLLM, a name that it knows": ([("model", "gpt-4o-transcribe-diarize")], asks(diarize=True)),
    "LiteLLM, another name": (
        [("model", "diarist"), ("response_format", "verbose_json"), ("timestamp_granularities[]", "word")],
        asks(diarize=True, response_format="verbose_json", granularities=frozenset({"word"})),
    ),
    "Node": (
        [
            ("model", "gpt-4o-transcribe-diarize"),
            ("response_format", "diarized_json"),
            ("stream", "true"),
            ("chunking_strategy[type]", "server_vad"),
            ("chunking_strategy[threshold]", "0.4"),
            ("chunking_strategy[silence_duration_ms]", "500"),
            ("timestamp_granularities[]", "word"),
            ("timestamp_granularities[]", "segment"),
        ],
        asks(
            **DIARIZED,
            stream=True,
            granularities=frozenset({"word", "segment"}),
            ignored=("chunking_strategy",),
        ),
    ),
    "async-openai": (
        [
            ("model", "whisper-1"),
            ("response_format", "json"),
            ("temperature", "0.2"),
            ("include[]", "logprobs"),
            ("stream", "false"),
            ("chunking_strategy", '{"type":"server_vad","prefix_padding_ms":300}'),
        ],
        asks(temperature=0.2, logprobs=True, ignored=("chunking_strategy",)),
    ),
}


@pytest.mark.parametrize("client", REPLAYS)
def test_what_a_client_sends_asks_what_it_means(client):
    pairs, ask = REPLAYS[client]
    assert read(*pairs) == ask


def test_speakr_keeps_who_is_who_from_piece_to_piece():
    ask = read(
        ("model", "gpt-4o-transcribe-diarize"),
        ("chunking_strategy", "auto"),
        ("response_format", "diarized_json"),
        ("known_speaker_names[]", "A"),
        ("known_speaker_names[]", "B"),
        ("known_speaker_references[]", A_CLIP),
        ("known_speaker_references[]", B_CLIP),
    )
    assert ask.options.diarize
    assert [(clip.name, clip.read()) for clip in ask.known] == [("A", b"RIFFa"), ("B", b"RIFFb")]
    assert ask.shape.known == {"A", "B"}


ASR_FILE = Upload("audio_file")
ASR_REPLAYS = {
    "Speakr": (
        [
            ("encode", "true"), ("task", "transcribe"), ("output", "json"), ("language", "en"), ("diarize", "true"),
            ("enable_diarization", "true"), ("min_speakers", "2"), ("max_speakers", "4"), ("hotwords", "Anna, Ben"),
            ("initial_prompt", "A call."), ("return_speaker_embeddings", "true"),
        ],
        asks(
            diarize=True, language="en", min_speakers=2, max_speakers=4, hotwords=("Anna", "Ben"),
            response_format="asr_json", ignored=("return_speaker_embeddings", "initial_prompt"),
        ),
    ),
    "Speakr without speakers": (
        [
            ("encode", "true"), ("task", "transcribe"), ("output", "json"), ("diarize", "false"),
            ("enable_diarization", "false"), ("min_speakers", "2"), ("max_speakers", "4"),
        ],
        asks(response_format="asr_json", ignored=("min_speakers", "max_speakers")),
    ),
    "Bazarr": (
        [("task", "translate"), ("language", "ja"), ("output", "srt"), ("encode", "false")],
        asks(task="translate", language="ja", response_format="srt", pcm=True),
    ),
    "whisper-asr-webservice's own page": (
        [("encode", "true"), ("task", "transcribe"), ("vad_filter", "false"), ("word_timestamps", "true")],
        asks(response_format="asr_txt", granularities=frozenset({"word"}), ignored=("vad_filter",)),
    ),
    "nothing": ([], asks(response_format="asr_txt")),
}  # fmt: skip


@pytest.mark.parametrize("client", ASR_REPLAYS)
def test_what_clients_of_whisper_asr_webservice_send_asks_what_it_means(client):
    pairs, ask = ASR_REPLAYS[client]
    assert read(*pairs, by=read_asr, files=[ASR_FILE]) == ask


def test_bazarr_asks_which_language_is_spoken_in_raw_samples():
    ask = read(("encode", "false"), by=read_detect_language, files=[ASR_FILE])
    assert ask == asks(pcm=True)


def test_asr_refuses_what_contradicts_itself_and_what_it_does_not_know():
    def wrong(*pairs):
        return refusal(*pairs, by=read_asr, files=[ASR_FILE]).field

    assert wrong(("diarize", "true"), ("enable_diarization", "false")) == "enable_diarization"
    assert wrong(("output", "docx")) == "output"
    assert wrong(("min_speaker", "2")) == "min_speaker"
    assert wrong(("task", "sing")) == "task"
    assert refusal(by=read_asr, files=[FILE]).hint == "Send the recording as the file 'audio_file'."


def sent_by_openai(**arguments):
    """Fields and files as the installed Python client writes them onto the wire."""
    import httpx2
    from openai import OpenAI
    from python_multipart import multipart

    seen = []

    def keep(request):
        seen.append(request)
        return httpx2.Response(200, json={"text": ""})

    client = OpenAI(
        api_key="k", base_url="http://here/v1", http_client=httpx2.Client(transport=httpx2.MockTransport(keep))
    )
    client.audio.transcriptions.create(file=("call.wav", b"RIFF"), **arguments)
    (request,) = seen
    fields, files = [], []
    headers = {"Content-Type": request.headers["content-type"].encode()}
    multipart.parse_form(
        headers,
        io.BytesIO(request.read()),
        lambda field: fields.append((field.field_name.decode(), field.value.decode())),
        lambda file: files.append(Upload(file.field_name.decode())),
    )
    return fields, files


def test_the_python_client_is_understood():
    pairs, files = sent_by_openai(
        model="gpt-4o-transcribe-diarize",
        response_format="diarized_json",
        chunking_strategy={"type": "server_vad", "threshold": 0.6},
        known_speaker_names=["Anna", "Ben"],
        known_speaker_references=[A_CLIP, B_CLIP],
        timestamp_granularities=["word"],
        stream=True,
        temperature=0.3,
        extra_body={"hotwords": ["Kubernetes", "Grafana, Loki"], "num_speakers": 3, "text_speakers": False},
    )
    ask = read(*pairs, files=files)
    assert ask == asks(
        diarize=True,
        response_format="diarized_json",
        stream=True,
        granularities=frozenset({"word"}),
        known=ask.known,
        num_speakers=3,
        temperature=0.3,
        hotwords=("Kubernetes", "Grafana", "Loki"),
        ignored=("chunking_strategy",),
    )
    assert [(clip.name, clip.sha256) for clip in ask.known] == [("Anna", sha(b"RIFFa")), ("Ben", sha(b"RIFFb"))]
    assert recording_in(files) == FILE


def test_its_new_names_for_words_and_languages_are_understood():
    pairs, files = sent_by_openai(model="gpt-transcribe", keywords=["Anna", "Smith, Jones"], languages=["de"])
    assert read(*pairs, files=files) == asks(hotwords=("Anna", "Smith, Jones"), language="de")


@pytest.mark.parametrize(
    ("said", "means"),
    [("true", True), ("True", True), ("1", True), ("yes", True), ("on", True), ("YES", True), ("t", True),
     ("false", False), ("False", False), ("0", False), ("no", False), ("off", False), (" no ", False),
     ("", False), ("null", False), ("None", False), ("undefined", False)],
)  # fmt: skip
def test_a_flag_has_many_spellings(said, means):
    assert read(diarize=said).options.diarize is means
    assert read(stream=said).stream is means


@pytest.mark.parametrize(
    ("said", "code"),
    [("en", "en"), ("EN", "en"), ("en-US", "en"), ("zh-Hans-CN", "zh"), ("de_AT", "de"), ("German", "de"),
     ("deutsch", "de"), ("deu", "de"), ("auto", None), ("AUTO", None), ("", None), ("  ", None), ("null", None)],
)  # fmt: skip
def test_a_language_has_many_spellings(said, code):
    assert read(language=said).options.language == code


@pytest.mark.parametrize(
    "pairs",
    [
        [("hotwords[]", "Anna"), ("hotwords[]", "Ben Smith")],
        [("hotwords", "Anna"), ("hotwords", "Ben Smith")],
        [("hotwords", "Anna,Ben Smith")],
        [("hotwords", '["Anna", "Ben Smith"]')],
        [("hotwords[1]", "Ben Smith"), ("hotwords[0]", "Anna")],
        [("keywords[]", "Anna"), ("keywords[]", "Ben Smith")],
        [("keywords", "Anna"), ("hotwords", "Ben Smith, Anna,")],
    ],
)
def test_a_list_has_many_spellings(pairs):
    assert set(read(*pairs).options.hotwords) == {"Anna", "Ben Smith"}


@pytest.mark.parametrize(
    ("pairs", "ignored"),
    [
        ([("chunking_strategy", "auto")], ()),
        ([("chunking_strategy", '"auto"')], ()),
        ([("chunking_strategy", '{"type": "auto"}')], ()),
        ([("chunking_strategy", "null")], ()),
        ([("chunking_strategy", '{"type": "server_vad", "threshold": 0.5}')], ("chunking_strategy",)),
        ([("chunking_strategy[type]", "server_vad"), ("chunking_strategy[threshold]", "1")], ("chunking_strategy",)),
    ],
)
def test_chunking_has_three_forms(pairs, ignored):
    assert read(*pairs).ignored == ignored


def test_speakers_are_found_where_anything_needs_them():
    assert not read().options.diarize
    for needs in (
        {"diarize": "true"},
        {"response_format": "diarized_json"},
        {"num_speakers": "2"},
        {"min_speakers": "2"},
        {"max_speakers": "2.0"},
        {"model": "diarist"},
        {"model": "gpt-4o-transcribe-diarize"},
        {"text_speakers": "true"},
        {"known_voices": "true"},
    ):
        assert read(**needs).options.diarize
    # A model's name alone gives way to what is said.
    assert not read(model="diarist", diarize="false").options.diarize


@pytest.mark.parametrize(
    "needs",
    [
        [("response_format", "diarized_json")],
        [("num_speakers", "2")],
        [("known_speaker_names", "A"), ("known_speaker_references", A_CLIP)],
        [("text_speakers", "1")],
        [("known_voices", "yes")],
    ],
)
def test_what_needs_speakers_contradicts_doing_without(needs):
    assert refusal(*needs, diarize="false").field == "diarize"


@pytest.mark.parametrize(
    ("said", "format_"),
    [("text", "text"), ("JSON", "json"), ("txt", "txt"), ("webvtt", "vtt"), ("docx", "docx"), ("diarist", "diarist"),
     ("openai_json", "json"), ("verbose-json", "verbose_json")],
)  # fmt: skip
def test_formats_are_openais_and_ours(said, format_):
    assert read(response_format=said).response_format == format_


def test_a_finished_job_is_read_in_any_format():
    ask = read(response_format="json", include="logprobs", diarize="true", stream="true")
    for name in ("verbose_json", "diarized_json", "srt", "docx", "diarist"):
        other = in_format(ask, name)
        assert (other.response_format, other.options, other.logprobs, other.stream) == (name, ask.options, False, False)
    assert in_format(ask, "diarized_json").granularities == {"word", "segment"}
    with pytest.raises(FieldError) as caught:
        in_format(ask, "vvt")
    assert caught.value.field == "format"


def test_the_text_says_who_talks_as_asked():
    assert read(response_format="diarized_json").text_speakers
    assert not read(response_format="diarized_json", text_speakers="false").text_speakers
    assert not read(diarize="true").text_speakers
    assert read(text_speakers="true").text_speakers


def test_hints_that_the_engine_lacks_are_taken_and_named():
    said = {"prompt": "Hello.", "temperature": "0.5", "hotwords": "Anna", "beam_size": "5", "user": "me"}
    ask = read(**said, models=BARE)
    assert ask.ignored == ("hotwords", "temperature", "prompt", "beam_size", "user")
    assert (ask.options.hotwords, ask.options.temperature) == ((), None)
    # Without chance is what every engine does.
    assert read(temperature="0", models=BARE).ignored == ()
    assert read(temperature="0") == read()


@pytest.mark.parametrize(
    ("pairs", "field"),
    [
        ([("model", "gpt-5")], "model"),
        ([("model", "whisper-1"), ("model", "diarist")], "model"),
        ([("model[name]", "whisper-1")], "model[name]"),
        ([("response_format", "xml")], "response_format"),
        ([("stream", "maybe")], "stream"),
        ([("stream", "true"), ("stream", "false")], "stream"),
        ([("stream", "true"), ("response_format", "srt")], "stream"),
        ([("stream", "true"), ("response_format", "verbose_json")], "stream"),
        ([("language", "Klingon")], "language"),
        ([("language", "en"), ("languages[]", "de")], "languages"),
        ([("languages[]", "en"), ("languages[]", "de")], "languages"),
        ([("languages[]", "Klingon")], "languages"),
        ([("temperature", "1.5")], "temperature"),
        ([("temperature", "warm")], "temperature"),
        ([("temperature", "nan")], "temperature"),
        ([("temperature", "1e999")], "temperature"),
        ([("num_speakers", "two")], "num_speakers"),
        ([("num_speakers", "2.5")], "num_speakers"),
        ([("num_speakers", "0")], "num_speakers"),
        ([("num_speakers", "1e300")], "num_speakers"),
        ([("num_speakers", "9" * 500)], "num_speakers"),
        ([("num_speakers", "2"), ("max_speakers", "3")], "num_speakers"),
        ([("min_speakers", "4"), ("max_speakers", "2")], "min_speakers"),
        ([("max_speakers", "65")], "max_speakers"),
        ([("timestamp_granularities[]", "word")], "timestamp_granularities"),
        ([("timestamp_granularities[]", "word"), ("response_format", "srt")], "timestamp_granularities"),
        ([("timestamp_granularities[]", "segment"), ("response_format", "text")], "timestamp_granularities"),
        (
            [("timestamp_granularities[]", "segment"), ("timestamp_granularities[]", "words")],
            "timestamp_granularities[1]",
        ),
        ([("include[]", "logprob")], "include[0]"),
        ([("include[]", "logprobs"), ("response_format", "diarized_json")], "include"),
        ([("hotwords[]", "x" * 81)], "hotwords[0]"),
        ([("keywords[]", "a"), ("keywords[]", "<b>")], "keywords[1]"),
        ([("keywords[]", "a\nb")], "keywords[0]"),
        ([("hotwords", ",".join(map(str, range(201))))], "hotwords"),
        ([("hotwords[first]", "a")], "hotwords[first]"),
        ([("channels", "left")], "channels"),
        ([("chunking_strategy", "none at all")], "chunking_strategy"),
        ([("chunking_strategy", '{"type": ')], "chunking_strategy"),
        ([("chunking_strategy", "[1]")], "chunking_strategy"),
        ([("chunking_strategy", '{"threshold": 0.5}')], "chunking_strategy"),
        ([("chunking_strategy", '{"type": "server_vad", "treshold": 1}')], "chunking_strategy[treshold]"),
        ([("chunking_strategy", '{"type": "server_vad", "threshold": -1}')], "chunking_strategy[threshold]"),
        ([("text_speakers", "true"), ("response_format", "srt")], "text_speakers"),
        ([("on_diarization_failure", "guess")], "on_diarization_failure"),
        ([("num_speaker", "2")], "num_speaker"),
        ([("task", "translate")], "task"),
        ([("file", "RIFF")], "file"),
        ([("url", "https://example.org/a.mp3")], "url"),
        ([("language", "en" * 1000)], "language"),
        ([("\ud800", "x")], "?"),
        ([("language", "\ud800")], "language"),
        ([("a[b][c]", "x")], "a[b][c]"),
        ([("x", "1")] * 1001, "fields"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_its_name(pairs, field):
    assert refusal(*pairs).field == field


def test_a_misspelt_field_is_recognised():
    assert refusal(("num_speaker", "2")).hint == "Did you mean 'num_speakers'?"
    assert refusal(("known_speakers_names[]", "A")).hint == "Did you mean 'known_speaker_names'?"
    assert refusal(("x" * 10_000, "2")).code == "unknown_field"
    # One without a value asks for nothing.
    assert read(num_speaker="") == asks()


def test_there_is_one_recording_as_a_file_or_by_its_address():
    assert read(files=[], url="https://example.org/a.mp3").url == "https://example.org/a.mp3"
    assert refusal(files=[]).code == "missing_field"
    assert refusal(files=[FILE, FILE]).field == "file"
    assert refusal(files=[Upload("audio")]).field == "audio"
    for url in (
        "ftp://example.org/a",
        "example.org/a.mp3",
        "file:///etc/passwd",
        "https://a b",
        "https://" + "x" * 5000,
    ):
        assert refusal(files=[], url=url).field == "url"
    assert refusal(("file", "RIFF"), files=[]).hint.endswith("-F file=@call.mp3")


def known(names, references=(), files=()):
    pairs = [("known_speaker_names[]", name) for name in names]
    return [*pairs, *(("known_speaker_references[]", each) for each in references)], [FILE, *files]


@pytest.mark.parametrize(
    ("names", "references", "field"),
    [
        (["A", "B"], [A_CLIP], "known_speaker_references"),
        (["A"], [], "known_speaker_references"),
        ([], [A_CLIP], "known_speaker_names"),
        (["A", "a"], [A_CLIP, B_CLIP], "known_speaker_names[1]"),
        (["A", "SPEAKER_01"], [A_CLIP, B_CLIP], "known_speaker_names[1]"),
        (["A", "x" * 65], [A_CLIP, B_CLIP], "known_speaker_names[1]"),
        (["A\nB"], [A_CLIP], "known_speaker_names[0]"),
        ([f"N{n}" for n in range(17)], [A_CLIP] * 17, "known_speaker_names"),
        (["A", "B"], [A_CLIP, "data:audio/wav;base64,!!!!"], "known_speaker_references[1]"),
        (["A", "B"], [A_CLIP, "data:audio/wav;base64,"], "known_speaker_references[1]"),
        (["A", "B"], [A_CLIP, "data:audio/wav"], "known_speaker_references[1]"),
        (["A", "B"], [A_CLIP, "https://example.org/b.wav"], "known_speaker_references[1]"),
        (["A", "B"], [A_CLIP, "/etc/passwd"], "known_speaker_references[1]"),
        (["A", "B"], [A_CLIP, base64.b64encode(b"RIFF").decode()], "known_speaker_references[1]"),
        (["A"], [data_url(bytes(4_000_001))], "known_speaker_references[0]"),
        (["A"], ["data:" + "x" * 6_000_000], "known_speaker_references[0]"),
    ],
)
def test_known_speakers_are_refused_by_their_place(names, references, field):
    pairs, files = known(names, references)
    assert refusal(*pairs, files=files).field == field


def test_clips_of_known_speakers_come_as_text_or_as_files():
    pairs, _ = known(["A", "B"])
    first, second = (
        Upload("known_speaker_references[]", sha256="a" * 64),
        Upload("known_speaker_references[]", Path("b")),
    )
    ask = read(*pairs, files=[first, FILE, second])
    assert [(clip.name, clip.path) for clip in ask.known] == [("A", "clip.wav"), ("B", "b")]
    swapped = [
        replace(first, field="known_speaker_references[1]"),
        replace(second, field="known_speaker_references[0]"),
    ]
    assert [clip.path for clip in read(*pairs, files=[FILE, *swapped]).known] == ["b", "clip.wav"]
    mixed = [("known_speaker_references[]", A_CLIP)]
    assert refusal(*pairs, *mixed, files=[FILE, first]).field == "known_speaker_references"
    for size in (0, 4_000_001):
        files = [FILE, first, replace(second, num_bytes=size)]
        assert refusal(*pairs, files=files).field == "known_speaker_references[1]"
    # The largest clip that is taken fits as text too.
    assert len(read(*known(["A"], [data_url(bytes(4_000_000))])[0]).known[0].data) == 4_000_000


def test_voices_that_are_kept_are_named_where_that_is_asked():
    assert read(known_voices="true").known_voices
    assert read(known_voices="true", by=read_diarization).known_voices
    assert not read(diarize="true").known_voices
    assert read(known_voices="false", diarize="false").options.diarize is False
    assert work_of(read(known_voices="true")) != work_of(read(diarize="true"))
    assert ask_from(identity(read(known_voices="true"))).known_voices


def test_translations_write_english():
    ask = read(model="whisper-1", prompt="", response_format="verbose_json", by=read_translation)
    assert ask == asks(task="translate", response_format="verbose_json")
    assert refusal(("response_format", "diarized_json"), by=read_translation).field == "response_format"


def test_diarizations_take_what_concerns_speakers():
    pairs, files = known(["A"], [A_CLIP])
    ask = read(("response_format", "rttm"), ("max_speakers", "3"), *pairs, files=files, by=read_diarization)
    assert (ask.response_format, ask.options.max_speakers, ask.options.diarize) == ("rttm", 3, True)
    assert [clip.name for clip in ask.known] == ["A"]
    assert refusal(("hotwords", "Anna"), by=read_diarization).field == "hotwords"
    assert refusal(("response_format", "srt"), by=read_diarization).field == "response_format"


def test_a_job_may_translate():
    assert read(by=read_job).options.task == "transcribe"
    assert read(task="Translate", by=read_job).options.task == "translate"
    assert refusal(("task", "sing"), by=read_job).field == "task"
    assert refusal(("task", "translate"), ("response_format", "diarized_json"), by=read_job).field == "response_format"
    assert refusal(("task", "translate")).field == "task"  # a plain route is for one of the two


def test_a_json_body_says_the_same_as_a_form():
    body = {
        "url": "https://example.org/a.mp3",
        "response_format": "diarized_json",
        "hotwords": ["Anna", "Ben"],
        "num_speakers": 2,
        "stream": False,
        "language": None,
        "chunking_strategy": {"type": "server_vad", "threshold": 0.5},
    }
    ask = read_transcription(flattened(body), [], models=BASE)
    assert ask.options == Options(diarize=True, num_speakers=2, hotwords=("Anna", "Ben"))
    assert ask.url == "https://example.org/a.mp3"
    for deep in ({"hotwords": [["a"]]}, {"a": {"b": {"c": 1}}}, {"a": [{}]}):
        with pytest.raises(FieldError, match="nested"):
            flattened(deep)
    # What makes no sense is refused like a form's.
    for odd in ({"hotwords": {"a": 1}}, {"language": ["en", "de"]}, {"stream": 3}, {"stream": {}, "x]": 1}):
        with pytest.raises(FieldError):
            read_transcription(flattened({"url": "https://example.org/a", **odd}), [], models=BASE)


names = st.sampled_from(
    ["model", "language", "languages[]", "stream", "hotwords", "keywords[]", "num_speakers", "chunking_strategy",
     "chunking_strategy[type]", "known_speaker_names[]", "known_speaker_references[0]", "response_format", "include",
     "timestamp_granularities", "temperature", "url", "prompt", "output", "encode", "diarize", "channels"]
) | st.text(max_size=8)  # fmt: skip
values = st.sampled_from(["true", "auto", "json", "diarized_json", "2", "[]", "{}", '["a"]', "data:,x", "[[[", "en"])
fields = st.lists(st.tuples(names, values | st.text(max_size=12)), max_size=6)


@given(fields, st.lists(st.builds(Upload, names | st.sampled_from(["file", "audio_file"])), max_size=3))
def test_whatever_comes_is_taken_or_refused_by_a_name(pairs, files):
    for by in (read_transcription, read_translation, read_job, read_diarization, read_asr, read_detect_language):
        refusals = []
        try:
            by(pairs, files, models=BASE)
        except FieldError as error:
            refusals.append(error)
        for refused in refusals:
            assert refused.field
            assert refused.field.isprintable()
            assert str(refused).isprintable()


scalars = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)


@given(
    st.recursive(
        scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=5
    )
)
def test_any_json_body_is_taken_or_refused(value):
    with contextlib.suppress(FieldError):
        read_transcription(flattened({"language": value, "stream": value}), [FILE], models=BASE)
