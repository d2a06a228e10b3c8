"""What is left on a terminal when a command has ended, beside what it prints into a pipe."""

import json
import os
import re
import signal
import subprocess
import sys
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diarist.cli.terminal import visible
from diarist.speakers.identify import Voice
from diarist.speakers.store import VoiceStore

from ..terminal import DIARIST, on_a_terminal

# The command line with an engine that hears what a test says, and takes its time for it.
SAYING = """
import json, os, sys, time
from diarist.audio.decode import decode
from diarist.cli import app, transcribe
from diarist.model.transcript import Segment, Transcript, Word
from diarist.pipelines.base import Pipeline

class Engine(Pipeline):
    async def atranscribe(self, recording, options, progress, *, naming=None, heard=None):
        decode(recording)
        for done in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
            progress("transcription", done)
            progress("diarization", done)
            time.sleep(0.05)
        said = json.loads(os.environ["SAID"])
        segments = tuple(
            Segment(n, n + 1, speaker=who, text=text, words=(Word(n, n + 1, text, speaker=who),))
            for n, (who, text) in enumerate(said)
        )
        speakers = tuple(dict.fromkeys(who for who, _ in said))
        return Transcript(
            duration=float(len(said)), language="en", speakers=speakers, segments=segments, turns=(), models=(),
            warnings=(os.environ.get("WARNING", "a [/warning] :smile:"),),
        )

transcribe.open_place = lambda *_, **__: Engine()
app.main(sys.argv[1:])
"""


def into_a_pipe(*command, **environment):
    return subprocess.run(
        [os.fspath(word) for word in command], capture_output=True, timeout=120, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def letters(text):
    """A text without its spaces and line ends: where it is folded makes no difference."""
    return "".join(text.split())


@pytest.fixture
def recording(tmp_path):
    """Make a recording of a second of silence under any name."""

    def make(name="talk.wav"):
        path = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file, wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16_000)
            sound.writeframes(bytes(32_000))
        return os.fsdecode(path)

    return make


SAID = [("SPEAKER_00", "Hello there."), ("SPEAKER_01", "Good day, and " + "so on " * 40 + "to the end.")]
HOSTILE = [
    ("[red]Anna[/red]", "array[0] = [/b] [bold]x[/bold] :smile: \\[y]"),
    ("[/x]", "\x1b[2J\x1b]0;owned\x07 \x9b31m gone\u2028two\u202elive"),
]


def saying(*arguments, said=SAID, **environment):
    return {"command": (sys.executable, "-c", SAYING, *arguments), "SAID": json.dumps(said), **environment}


def shown(command, **how):
    return on_a_terminal(*command, **how)


class TestTranscribe:
    @pytest.mark.parametrize("columns", [40, 80, 200])
    def test_the_whole_text_stays_on_the_screen(self, recording, columns):
        code, terminal, _ = shown(columns=columns, **saying("transcribe", recording()))
        assert code == 0
        screen = letters("\n".join(terminal.lines))
        assert all(letters(text) in screen for _, text in SAID) if columns == 200 else "totheend." in screen
        for _, text in SAID:
            left = iter(word for line in terminal.lines for word in line.split())
            assert all(word in left for word in text.split())

    @pytest.mark.parametrize("name", ["srt", "vtt", "json", "md", "html", "stm", "csv", "tsv"])
    def test_formats_stay_on_the_screen_to_the_last_letter(self, recording, name):
        how = saying("transcribe", recording(), "-f", name)
        _, terminal, _ = shown(**how)
        command = how.pop("command")
        piped = into_a_pipe(*command, **how).stdout.decode()
        assert piped
        assert letters(piped) in letters("\n".join(terminal.lines))

    def test_progress_is_seen_while_it_works_and_gone_afterwards(self, recording):
        _, terminal, written = shown(**saying("transcribe", recording("Talk [abc].wav")))
        assert "Talk [abc].wav" in written
        assert "loading models" in written
        assert re.search(r"\d+%", written)
        assert not any("━" in line or "loading" in line or "Talk" in line for line in terminal.lines)

    @pytest.mark.parametrize("columns", [20, 40, 80])
    def test_progress_is_one_line_however_narrow(self, recording, columns):
        _, _, written = shown(columns=columns, **saying("transcribe", recording("a long name " * 10 + ".wav")))
        assert re.search(r"\d+%", written)
        ups = re.findall(r"\x1b\[\d*A", written)
        assert ups == ["\x1b[1A"] * 2  # once for the models and once for the recording, when they are done

    def test_a_pipe_gets_the_text_and_the_terminal_the_notes(self, recording):
        how = saying("transcribe", recording(), "-f", "srt", WARNING="watch out")
        reader, writer = os.pipe()
        _, terminal, _ = shown(stdout=writer, **how)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            piped = pipe.read()
        command = how.pop("command")
        assert piped == into_a_pipe(*command, **how).stdout
        assert [line.partition(",")[0] for line in terminal.lines] == ["warning: watch out", "1 recording"]

    def test_ctrl_c_leaves_a_terminal_to_work_with(self, recording):
        def stop(process, output):
            if "talk.wav" in output and process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)

        code, terminal, _ = shown(then=once(stop), **saying("transcribe", recording(), said=SAID * 50))
        assert code == 130
        assert terminal.lines == ["error: Cancelled."]


def once(action):
    """Do something the first time that it can be done."""
    seen = []

    def first(process, output):
        if not seen and "talk.wav" in output:
            seen.append(True)
            action(process, output)

    return first


class TestWhatComesFromOutside:
    @pytest.mark.parametrize(
        "name",
        ["Talk [abc].wav", "x[red].wav", "[/y].wav", ":smile:.wav", "a\x1b[2Jb.wav", "two\nlines.wav", "ż\u202ew.wav"],
    )
    def test_names_are_shown_letter_by_letter(self, recording, tmp_path, name):
        recording(f"in/{name}")
        recording("in/zz.wav")
        (tmp_path / "in/yy.wav").write_text("no sound")
        code, terminal, written = shown(columns=200, **saying("transcribe", tmp_path / "in", "-o", tmp_path / "out"))
        assert code == 1
        assert re.search(rf"[123] of 3  {re.escape(visible(name))}  ", written)
        assert (tmp_path / "out" / name).with_suffix(".txt").exists()
        assert (tmp_path / "out/zz.txt").exists()
        assert "failed: yy.wav." in "\n".join(terminal.lines)

    def test_a_name_of_bytes_that_are_no_text(self, recording):
        code, terminal, written = shown(columns=200, **saying("transcribe", recording(b"caf\xe9.wav"), "-f", "srt"))
        assert code == 0
        assert r"caf\udce9.wav" in written
        assert "Good day" in "\n".join(terminal.lines)

    @pytest.mark.parametrize("name", ["txt", "srt", "vtt", "csv", "json", "md", "html"])
    def test_words_and_speakers_command_nothing(self, recording, name):
        code, terminal, _ = shown(columns=200, **saying("transcribe", recording(), "-f", name, said=HOSTILE))
        assert code == 0
        screen = "\n".join(terminal.lines)
        assert "31m gone" in screen
        if name in ("txt", "srt", "vtt", "csv"):
            assert r"\x1b[2J\x1b]0;owned\x07 \x9b31m gone" in screen
        if name == "txt":
            assert HOSTILE[0][1] in screen
            assert "[red]Anna[/red]" in screen

    def test_warnings_and_errors_are_shown_letter_by_letter(self, recording, tmp_path):
        _, terminal, _ = shown(columns=200, **saying("transcribe", recording(), WARNING="[/b] :smile: \x1b[2J"))
        assert r"warning: [/b] :smile: \x1b[2J" in terminal.lines
        _, terminal, _ = shown(columns=200, **saying("transcribe", tmp_path / "no[b]\x1b[2J :smile:.wav"))
        assert any(r"no[b]\x1b[2J :smile:.wav" in line for line in terminal.lines)

    @pytest.mark.parametrize(
        "arguments", [("[/y]:smile:",), ("transcribe", "a.wav", "--no[/y]:smile:"), ("models", "path", "[/y]:smile:"),
                      ("emulate", "[/y]:smile:"), ("models", "pull", "[/y]:smile:")]
    )  # fmt: skip
    def test_wrong_usage_is_told_letter_by_letter(self, arguments):
        code, terminal, _ = on_a_terminal(*DIARIST, *arguments)
        assert code == 2
        assert "[/y]:smile:" in "\n".join(terminal.lines)

    @given(st.text(st.characters()))
    def test_no_text_makes_a_terminal_do_anything(self, text):
        safe = visible(text)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", safe)
        safe.encode()

    @given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))))
    def test_what_is_written_by_people_is_left_as_it_is(self, text):
        assert visible(text) == text

    @pytest.mark.parametrize("text", ["می‌خواهم", "👩‍👩‍👧", "नमस्ते", "e\u0301"])
    def test_joiners_of_scripts_and_emoji_stay(self, text):
        assert visible(text) == text


class TestSummary:
    def test_without_a_terminal_it_is_one_plain_line(self, recording, tmp_path):
        how = saying("transcribe", recording(), "-o", tmp_path / "out")
        command = how.pop("command")
        done = into_a_pipe(*command, **how)
        last = done.stderr.decode().splitlines()[-1]
        assert re.fullmatch(r"1 recording, 0:02 of audio, in \d\.\d s \(\d+\.\d times real time\); written to .*", last)
        assert last.endswith(f" {tmp_path}/out/talk.txt")

    def test_quiet_is_quiet(self, recording, tmp_path):
        how = saying("transcribe", recording(), "-o", tmp_path / "out", "-q")
        command = how.pop("command")
        assert into_a_pipe(*command, **how).stderr == b""

    def test_a_batch_names_the_folder(self, recording, tmp_path):
        recording("in/a.wav")
        recording("in/deeper/b.wav")
        how = saying("transcribe", tmp_path / "in", "-o", tmp_path / "out")
        command = how.pop("command")
        last = into_a_pipe(*command, **how).stderr.decode().splitlines()[-1]
        assert last.startswith("2 recordings, 0:04 of audio, in ")
        assert last.endswith(f"; written to {tmp_path}/out")

    def test_programs_get_it_as_json(self, recording, tmp_path):
        how = saying("transcribe", recording(), "-o", tmp_path / "out", "--json-progress")
        command = how.pop("command")
        lines = [json.loads(line) for line in into_a_pipe(*command, **how).stderr.splitlines()]
        summary = lines[-1]["summary"]
        assert (summary["files"], summary["audio_seconds"]) == (1, 2.0)
        assert summary["written"] == [str(tmp_path / "out/talk.txt")]
        loading = [line["done"] for line in lines if line.get("stage") == "loading models"]
        assert loading == [0.0, 1.0]


# ``bench`` with the speeds of a profile that comes along, so that nothing is measured.
BENCH = """
import sys, time
from diarist.cli import app
from diarist.planning import measure
from diarist.planning.profiles import packaged_profiles

def found(*_, progress, **__):
    for done in range(11):
        progress("measuring", done / 10)
        time.sleep(0.02)
    return next(iter(packaged_profiles().values()))

measure.measure_profile = found
app.main(sys.argv[1:])
"""


class TestOtherCommands:
    """At the width that tables have in a pipe, the two must agree."""

    @pytest.mark.parametrize(
        "command",
        [
            (*DIARIST, "plan", "--quick"),
            (*DIARIST, "deploy", "single", "--dry-run", "--image-prefix", "you/parakeet", "--tag", "1.0"),
            (*DIARIST, "doctor"),
            (sys.executable, "-c", BENCH, "bench", "call.wav"),
            (sys.executable, "-c", BENCH, "bench", "call.wav", "--json"),
            (sys.executable, "-c", BENCH, "bench", "call.wav", "--profile", "[b]:smile:.json"),
        ],
        ids=lambda command: "-".join(command[3:5]),
    )
    def test_as_much_is_left_as_a_pipe_gets(self, command, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        code, terminal, _ = on_a_terminal(*command, columns=160)
        piped = into_a_pipe(*command)
        assert code == piped.returncode
        free_space = re.compile(r"\d+GBfree")
        left = free_space.sub("", letters("\n".join(terminal.lines)))
        assert piped.stdout
        assert free_space.sub("", letters(piped.stdout.decode())) in left
        assert all(letters(line) in left for line in piped.stderr.decode().splitlines())

    def test_eval_names_recordings_letter_by_letter(self, tmp_path):
        for name in ("[red]a", "[b", ":smile:"):
            for side in ("ref", "hyp"):
                (tmp_path / side).mkdir(exist_ok=True)
                (tmp_path / side / f"{name}.stm").write_text(f"{name} 1 anna 0.0 1.0 good day\n")
        command = (*DIARIST, "eval", tmp_path / "ref", tmp_path / "hyp")
        code, terminal, _ = on_a_terminal(*command, columns=200)
        assert code == 0
        screen = "\n".join(terminal.lines)
        assert all(name in screen for name in ("[red]a", "[b", ":smile:"))
        assert letters(into_a_pipe(*command).stdout.decode()) == letters(screen)

    def test_voices_are_named_letter_by_letter(self, tmp_path):
        store = VoiceStore(tmp_path / "voices.json")
        voice = Voice(
            name="[/b]:smile:\x1b[2J", embedding=(1.0,), model="embedded", seconds=9, consent="\x07said yes", added="-"
        )
        store.add(voice)
        code, terminal, _ = on_a_terminal(*DIARIST, "voices", "list", columns=200, DIARIST_VOICES=str(store.path))
        assert code == 0
        assert terminal.lines == [r"[/b]:smile:\x1b[2J  9 s, embedded, added -; consent: \x07said yes"]

    def test_models_list_names_all(self):
        _, terminal, _ = on_a_terminal(*DIARIST, "models", "list", columns=160)
        names = [line.split(b"\t")[0].decode() for line in into_a_pipe(*DIARIST, "models", "list").stdout.splitlines()]
        assert [line.split()[0] for line in terminal.lines[1:-2]] == names

    def test_a_terminal_that_cannot_move_its_cursor_is_not_asked_to(self, recording):
        code, _, written = shown(**saying("transcribe", recording(), "-f", "srt", TERM="dumb"))
        assert code == 0
        assert "\x1b" not in written
        assert "━" not in written


@pytest.mark.slow
@pytest.mark.models
class TestWithRealEngines:
    def test_a_call(self, call):
        code, terminal, written = on_a_terminal(*DIARIST, "transcribe", call)
        piped = into_a_pipe(*DIARIST, "transcribe", call, "-f", "json")
        assert code == 0
        assert "loading models" in written
        left = iter(word for line in terminal.lines for word in line.split())
        for segment in json.loads(piped.stdout)["segments"]:
            assert all(word in left for word in segment["text"].split())

    def test_emulate(self, call):
        pytest.importorskip("runpod")
        arguments = ("emulate", "single", "--transcribe", call, "-f", "srt")
        code, terminal, _ = on_a_terminal(*DIARIST, *arguments)
        assert code == 0
        assert letters(into_a_pipe(*DIARIST, *arguments).stdout.decode()) in letters("\n".join(terminal.lines))

    def test_pull_and_verify(self, tmp_path):
        code, terminal, written = on_a_terminal(
            *DIARIST, "models", "pull", "sample-telephone", columns=300, DIARIST_CACHE=str(tmp_path)
        )
        assert code == 0
        assert "fetching sample-telephone" in written
        assert terminal.lines == [str(tmp_path / "models/sample-telephone")]
        code, terminal, _ = on_a_terminal(
            *DIARIST, "models", "verify", "sample-telephone", columns=300, DIARIST_CACHE=str(tmp_path)
        )
        assert [line.split() for line in terminal.lines] == [["sample-telephone", "ok", "2", "good"]]
