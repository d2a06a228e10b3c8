"""Checkpoints are read without NeMo, without torch, and without running what is in them."""

import contextlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from diarist.model.errors import WeightsError
from diarist.transcription.checkpoints import checkpoint_file, read

from . import tiny


@pytest.fixture(scope="module")
def tensors():
    return tiny.random_tensors(tiny.SMALL)


def test_a_nemo_file_gives_sizes_pieces_and_tensors(tmp_path, tensors):
    found = read(tiny.nemo(tmp_path / "m.nemo", tensors=tensors))
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
    plain = read(tiny.nemo(tmp_path / "a.nemo", tensors=tensors))
    packed = read(tiny.nemo(tmp_path / "b.nemo", tensors=tensors, mode="w:gz"))
    assert plain.tensors.keys() == packed.tensors.keys()
    assert all(np.array_equal(plain.tensors[name], packed.tensors[name]) for name in plain.tensors)


def test_a_snapshot_of_a_hub_cache_is_read_through_its_links(tmp_path):
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "parakeet-tdt-0.6b-v2.nemo").symlink_to(tiny.nemo(tmp_path / "blob").resolve())
    found = checkpoint_file(tmp_path / "snapshot")
    assert found is not None
    assert read(found).vocabulary.blank == 60


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
        read(tiny.nemo(tmp_path / "m.nemo", checkpoint=checkpoint))
    assert not proof.exists()
    pickle.loads(pickle.dumps(Malicious(proof)))  # it would have worked
    assert proof.exists()


@pytest.mark.parametrize("keep", [0, 100, 5_000, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = tiny.nemo(tmp_path / "m.nemo")
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(WeightsError):
        read(path)


def without(config, *keys):
    for key in keys[:-1]:
        config = config[key]
    del config[keys[-1]]


@pytest.mark.parametrize("keys", [("encoder",), ("encoder", "d_model"), ("decoder", "prednet", "pred_hidden")])
def test_a_configuration_that_lacks_something_is_refused_by_its_name(tmp_path, keys):
    config = tiny.nemo_config(tiny.SMALL)
    without(config, *keys)
    with pytest.raises(WeightsError, match=keys[-1]):
        read(tiny.nemo(tmp_path / "m.nemo", config=config))


def test_another_kind_of_encoder_is_refused(tmp_path):
    config = tiny.nemo_config(tiny.SMALL)
    config["encoder"]["self_attention_model"] = "abs_pos"
    with pytest.raises(WeightsError, match="another kind"):
        read(tiny.nemo(tmp_path / "m.nemo", config=config))


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
        read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="not a readable"):
        read(tmp_path / "none.nemo")
