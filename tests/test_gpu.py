"""Whether there is a GPU, and whether to use it."""

import ctypes
from types import SimpleNamespace

import pytest

from diarist import gpu
from diarist.model.errors import InputError


@pytest.fixture
def driver(monkeypatch):
    """Put an NVIDIA driver here that shows so many GPUs, or that fails with ``error``."""

    def put(count, error=0):
        def count_devices(where):
            where._obj.value = count
            return error

        library = SimpleNamespace(cuInit=lambda _: error, cuDeviceGetCount=count_devices)
        monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
        gpu.gpu_count.cache_clear()

    yield put
    monkeypatch.undo()
    gpu.gpu_count.cache_clear()


@pytest.mark.parametrize(("count", "error", "found"), [(2, 0, 2), (0, 0, 0), (1, 100, 0)])
def test_the_driver_is_asked_for_gpus(driver, count, error, found):
    driver(count, error)
    assert gpu.gpu_count() == found


def test_a_workers_log_says_once_what_it_computes_on(driver, caplog):
    caplog.set_level("INFO")
    for count, said in ((0, "no NVIDIA GPU here: computing on the CPU"), (1, "1 NVIDIA GPU(s)")):
        driver(count)
        caplog.clear()
        assert gpu.wants_gpu("auto") == gpu.wants_gpu("auto") == bool(count)
        assert [record.message for record in caplog.records] == [said]


@pytest.mark.parametrize("fault", [OSError("no such file"), AttributeError("no such symbol")])
def test_without_a_driver_there_is_none(monkeypatch, driver, fault):
    driver(1)

    def fail(_):
        raise fault

    monkeypatch.setattr(ctypes, "CDLL", fail)
    assert gpu.gpu_count() == 0


def test_a_gpu_is_used_unless_the_cpu_is_asked_for(driver):
    driver(1)
    assert [gpu.wants_gpu(device) for device in ("auto", "cuda", "cpu")] == [True, True, False]
    driver(0)
    assert [gpu.wants_gpu(device) for device in ("auto", "cpu")] == [False, False]
    with pytest.raises(InputError, match="no NVIDIA GPU"):
        gpu.wants_gpu("cuda")


def test_a_device_may_be_written_as_people_type_it():
    assert [gpu.check_device(device) for device in ("CUDA", "gpu", " Auto")] == ["cuda", "cuda", "auto"]
    with pytest.raises(InputError, match="no device 'tpu'"):
        gpu.check_device("tpu")


@pytest.mark.parametrize(("can", "used"), [(True, True), (False, False)])
def test_torch_uses_a_gpu_only_where_it_can(monkeypatch, driver, can, used):
    driver(1)
    monkeypatch.setitem(
        __import__("sys").modules, "torch", SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: can))
    )
    assert gpu.torch_uses_gpu("auto") is used
    assert gpu.torch_uses_gpu("cpu") is False
    if not can:
        with pytest.raises(InputError, match="torch is missing, or cannot use the GPU"):
            gpu.torch_uses_gpu("cuda")


def test_torch_is_not_imported_where_there_is_no_gpu(monkeypatch, driver):
    driver(0)
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    assert gpu.torch_uses_gpu("auto") is False
