"""Prices: the dated table, and the platform's of today."""

import dataclasses
from datetime import UTC, datetime

import pytest

from diarist.model.errors import InputError
from diarist.planning.prices import from_catalog, load_prices, packaged_prices, save_prices

CATALOG = [
    {"name": "RTX 3090", "pool": "AMPERE_24", "memory": 24, "price": {"serverless": 0.72}},
    {"name": "NVIDIA GeForce RTX 5090", "pool": "ADA_32_PRO", "memory": 32, "price": {}},
    {"name": "RTX 2080", "pool": None, "memory": 8, "price": {"serverless": 0.1}},
]
CPUS = [{"id": "cpu3c", "price": {"serverlessPerVcpu": 0.036}}]


@pytest.fixture(autouse=True)
def own_file(tmp_path, monkeypatch):
    file = tmp_path / "cache" / "prices.json"
    monkeypatch.setenv("DIARIST_PRICES", str(file))
    return file


@pytest.mark.parametrize("name", ["RTX 3090", "rtx-3090", "3090", "NVIDIA GeForce RTX 3090"])
def test_a_gpu_goes_by_several_names(name):
    assert packaged_prices().gpu(name).usd_per_second == 0.00019


@pytest.mark.parametrize("name", ["RTX 1", "", "RTX", "GTX 3090 Super"])
def test_an_unknown_gpu_is_one_line_with_the_known_ones(name):
    with pytest.raises(InputError) as caught:
        packaged_prices().gpu(name)
    assert "RTX 4090" in caught.value.hint


def test_a_missing_price_says_how_to_get_one():
    with pytest.raises(InputError, match="no price for RTX 5090") as caught:
        packaged_prices().gpu("5090")
    assert "--refresh" in caught.value.hint


def test_the_table_is_dated_and_says_what_is_an_estimate():
    table = packaged_prices()
    assert datetime.fromisoformat(table.as_of)
    assert "estimate" in table.cpu_source
    assert table.cpu_usd_per_second(2) == pytest.approx(0.06 / 3600)


def test_the_catalog_becomes_a_table():
    table = from_catalog(CATALOG, CPUS, "cpu3c")
    assert table.gpu("3090").usd_per_second == pytest.approx(0.0002)
    assert [gpu.name for gpu in table.gpus] == ["RTX 3090", "RTX 5090"]
    assert table.cpu_usd_per_vcpu_hour == 0.036
    assert table.as_of == datetime.now(UTC).date().isoformat()
    assert table.pool_prices() == {"AMPERE_24": pytest.approx(0.0002)}


def test_a_newer_refreshed_table_wins_and_an_older_one_does_not(own_file):
    fresh = from_catalog(CATALOG, CPUS, "cpu3c")
    assert save_prices(fresh) == own_file
    assert load_prices() == fresh
    save_prices(dataclasses.replace(fresh, as_of="2020-01-01"))
    assert load_prices() == packaged_prices()
    assert [file.name for file in own_file.parent.iterdir()] == ["prices.json"]


def test_a_damaged_file_is_one_line(own_file):
    own_file.parent.mkdir()
    own_file.write_text('{"as_of": 3}')
    with pytest.raises(InputError, match="Cannot read the prices"):
        load_prices()
