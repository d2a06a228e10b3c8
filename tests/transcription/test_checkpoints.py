"""Checkpoints are read without NeMo, without torch, and without running what is in them."""

import contextlib
import gzip
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from diarist.model.errors import WeightsError
from diarist.transcription.checkpoints import checkpoint_file, read_network
from diarist.weights.yaml import read_yaml

from . import tiny


@pytest.fixture(scope="module")
def tensors():
    return tiny.random_tensors(tiny.SMALL)


def test_a_nemo_file_gives_sizes_pieces_and_tensors(tmp_path, tensors):
    found = read_network(tiny.nemo(tmp_path / "m.nemo", tensors=tensors))
    assert found.architecture.hidden_size == 32
    assert found.architecture.durations == (0, 1, 2, 3, 4)
    assert found.vocabulary.blank == 60
    assert "decoder.lstm.weight_ih_l1" in found.tensors
    assert "encoder.layers.1.self_attn.relative_k_proj.weight" in found.tensors
    assert not any(name.startswith(("preprocessor", "joint.joint_net")) for name in found.tensors)
    head = found.tensors["joint.head.weight"]
    assert np.array_equal(head, tensors["joint.joint_net.2.weight"])
    assert not head.flags.owndata, "a view of the file"


def test_a_compressed_archive_is_read_too(tmp_path, tensors):
    plain = read_network(tiny.nemo(tmp_path / "a.nemo", tensors=tensors))
    packed = read_network(tiny.nemo(tmp_path / "b.nemo", tensors=tensors, mode="w:gz"))
    assert plain.tensors.keys() == packed.tensors.keys()
    assert all(np.array_equal(plain.tensors[name], packed.tensors[name]) for name in plain.tensors)


def test_a_snapshot_of_a_hub_cache_is_read_through_its_links(tmp_path):
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "parakeet-tdt-0.6b-v2.nemo").symlink_to(tiny.nemo(tmp_path / "blob").resolve())
    found = checkpoint_file(tmp_path / "snapshot")
    assert found is not None
    assert read_network(found).vocabulary.blank == 60


def test_a_folder_without_one_checkpoint_has_none(tmp_path):
    assert checkpoint_file(tmp_path) is None
    for name in ("a.nemo", "b.nemo"):
        (tmp_path / name).touch()
    assert checkpoint_file(tmp_path) is None


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_in_a_malicious_pickle_runs(tmp_path, tensors):
    proof = tmp_path / "proof"
    checkpoint = tiny.torch_saved(tensors, {"evil": Malicious(proof)})
    assert b"touch" in checkpoint
    with contextlib.suppress(WeightsError):
        read_network(tiny.nemo(tmp_path / "m.nemo", checkpoint=checkpoint))
    assert not proof.exists()
    pickle.loads(pickle.dumps(Malicious(proof)))  # it would have worked
    assert proof.exists()


@pytest.mark.parametrize("keep", [0, 100, 5_000, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = tiny.nemo(tmp_path / "m.nemo")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(WeightsError):
        read_network(path)


def without(config, *keys):
    for key in keys[:-1]:
        config = config[key]
    del config[keys[-1]]


@pytest.mark.parametrize("keys", [("encoder",), ("encoder", "d_model"), ("decoder", "prednet", "pred_hidden")])
def test_a_configuration_that_lacks_something_is_refused_by_its_name(tmp_path, keys):
    config = tiny.nemo_config(tiny.SMALL)
    without(config, *keys)
    with pytest.raises(WeightsError, match=keys[-1]):
        read_network(tiny.nemo(tmp_path / "m.nemo", config=config))


def test_another_kind_of_encoder_is_refused(tmp_path):
    config = tiny.nemo_config(tiny.SMALL)
    config["encoder"]["self_attention_model"] = "abs_pos"
    with pytest.raises(WeightsError, match="another kind"):
        read_network(tiny.nemo(tmp_path / "m.nemo", config=config))


def test_a_configuration_cannot_make_objects(tmp_path):
    path = tmp_path / "m.nemo"
    tiny.nemo(path)
    import io
    import tarfile

    text = b"labels: !!python/object/apply:os.getcwd []\n"
    with tarfile.open(path, "w:") as archive:
        for name, data in {"model_config.yaml": text, "model_weights.ckpt": tiny.torch_saved({})}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    with pytest.raises(WeightsError):
        read_network(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="not a readable"):
        read_network(tmp_path / "none.nemo")


def with_text(path: Path, text: str | bytes) -> Path:
    """A good archive, but for the text of its configuration."""
    tiny.nemo(path)
    data = text if isinstance(text, bytes) else text.encode()
    with tarfile.open(path, "w:") as archive:
        for name, content in {"model_config.yaml": data, "model_weights.ckpt": tiny.torch_saved({})}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("labels: " + "[" * 20_000, id="nested lists"),
        pytest.param("labels: " + "{a: " * 20_000, id="nested mappings"),
        pytest.param("".join(" " * n + "a:\n" for n in range(1500)), id="nested blocks"),
        pytest.param("- " * 50_000, id="nested rows"),
        pytest.param(LAUGHS + "labels: *a39\n", id="a list that multiplies itself"),
        pytest.param(LAUGHS.replace("[", "{<<: [").replace("]", "]}"), id="merges that multiply themselves"),
        pytest.param("labels: &a [*a]\n", id="a list that holds itself"),
        pytest.param("? [a]\n: b\n", id="a list for a key"),
        pytest.param("a: 1:" + "1:" * 100_000, id="a number to the base of sixty"),
        pytest.param("a: !!binary aGVsbG8=\nb: !!set {a, b}\n", id="kinds that no configuration has"),
        pytest.param("a: 9999-99-99\n", id="a day that is none"),
        pytest.param("labels: [" + "a," * 600_000 + "]", id="pieces without end"),
        pytest.param("x" * 5_000_000, id="text without end"),
        pytest.param(b"\xff\xfea\x00", id="another encoding"),
        pytest.param("\x00", id="characters that YAML has not"),
        pytest.param("*unknown", id="an alias of nothing"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_hostile_configuration_is_refused(tmp_path, text):
    with pytest.raises(WeightsError, match="not a readable"):
        read_network(with_text(tmp_path / "m.nemo", text))


@pytest.mark.parametrize("value", [float("inf"), 10**30, -1, 0, None, "many", [1], {}, True])
@pytest.mark.parametrize("keys", ["encoder d_model", "encoder n_layers", "decoder prednet pred_hidden"])
def test_a_size_that_no_network_has_is_refused(tmp_path, keys, value):
    config = tiny.nemo_config(tiny.SMALL)
    inner = config
    *outer, last = keys.split()
    for key in outer:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(WeightsError):
        read_network(tiny.nemo(tmp_path / "m.nemo", config=config))


def test_pieces_that_yaml_takes_for_numbers_stay_as_they_are_written(tmp_path):
    config = tiny.nemo_config(tiny.SMALL)
    text = yaml.safe_dump({**config, "labels": None, "joint": {"vocabulary": ["1", "no", "x", "~", "▁"]}})
    with pytest.raises(WeightsError, match="no named tensors"):
        read_network(with_text(tmp_path / "m.nemo", text))
    assert read_yaml(text.encode())["joint"]["vocabulary"] == ["1", "no", "x", "~", "▁"]


def test_a_compressed_archive_that_unpacks_without_end_is_refused(tmp_path):
    with gzip.open(tmp_path / "m.nemo", "wb", compresslevel=1) as file:
        for _ in range(100):
            file.write(bytes(1 << 20))
    with pytest.raises(WeightsError, match="far larger"):
        read_network(tmp_path / "m.nemo")


@pytest.mark.parametrize("keep", [10, 0.3, 0.9])
def test_a_truncated_compressed_archive_is_refused(tmp_path, keep):
    path = tiny.nemo(tmp_path / "m.nemo", mode="w:gz")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(WeightsError):
        read_network(path)


def test_an_archive_that_leads_back_to_its_beginning_is_refused(tmp_path):
    header = bytearray(tarfile.TarInfo("a").tobuf())
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # -512 bytes, in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "m.nemo").write_bytes(bytes(header) * 20)
    with pytest.raises(WeightsError):
        read_network(tmp_path / "m.nemo")


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"{" * 100_000,
        b'{"model_type": "parakeet_tdt"}',
        b'{"model_type": "parakeet_tdt", "blank_token_id": 1e999}',
        b'{"model_type": "parakeet_tdt", "blank_token_id": 1000000000000}',
    ],
)
def test_a_configuration_of_transformers_is_read_by_its_schema(tmp_path, config):
    (tmp_path / "config.json").write_bytes(config)
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError):
        read_network(tmp_path / "model.safetensors")
