from __future__ import annotations

import numpy as np
import pytest

from napari_her2.errors import RunDamagedError
from napari_her2.results.atomic import list_files
from napari_her2.results.heatmap import read_heatmap, write_heatmap


def test_reads_back_what_was_written(tmp_path, make_heatmap):
    heat = make_heatmap()
    write_heatmap(tmp_path / "ER.ome.zarr", heat)
    back = read_heatmap(tmp_path / "ER.ome.zarr")
    np.testing.assert_array_equal(back.data, heat.data)
    np.testing.assert_array_equal(back.unread, heat.unread)
    assert back.grid == heat.grid
    assert back.class_roles == heat.class_roles
    assert (back.biomarker, back.model_id, back.slide_id) == ("ER", "er-demo", "s1")


def test_is_valid_ome_zarr_with_micrometres(tmp_path, make_heatmap):
    import ome_zarr_models
    from ome_zarr_models.v05 import Image

    heat = make_heatmap()
    write_heatmap(tmp_path / "ER.ome.zarr", heat)
    import zarr

    group = zarr.open_group(tmp_path / "ER.ome.zarr", mode="r")
    assert isinstance(ome_zarr_models.open_ome_zarr(group), Image)
    (scales,) = Image.from_zarr(group).attributes.ome.multiscales
    assert [a.name for a in scales.axes] == ["c", "y", "x"]
    assert [a.unit for a in scales.axes][1:] == ["micrometer", "micrometer"]
    scale, translation = scales.datasets[0].coordinateTransformations
    # 512 um cells; the first cell's centre lies 256 um after the region's corner, and world 0 is
    # the centre of the first pixel.
    assert scale.scale == pytest.approx([1, 512, 512])
    assert translation.translation == pytest.approx(
        [0, 50 * 0.26 + 256 - 0.13, 100 * 0.25 + 256 - 0.125]
    )
    codecs = group["0"].metadata.to_dict()["codecs"]
    assert any(c["name"] == "zstd" and c["configuration"]["checksum"] for c in codecs)


def test_every_chunk_is_on_disk_even_where_nothing_was_scored(tmp_path, make_heatmap):
    heat = make_heatmap()
    heat.data[:] = np.nan
    write_heatmap(tmp_path / "ER.ome.zarr", heat)
    chunks = [r.path for r in list_files(tmp_path / "ER.ome.zarr") if "/c/" in r.path]
    assert chunks == ["0/c/0/0/0", "0/c/1/0/0", "0/c/2/0/0"]


def test_same_scores_give_same_bytes(tmp_path, make_heatmap):
    write_heatmap(tmp_path / "a", make_heatmap())
    write_heatmap(tmp_path / "b", make_heatmap(1))
    write_heatmap(tmp_path / "b", make_heatmap())
    assert list_files(tmp_path / "a") == list_files(tmp_path / "b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_is_an_error_not_a_number(tmp_path, bit, make_heatmap):
    path = tmp_path / "ER.ome.zarr"
    write_heatmap(path, make_heatmap())
    chunk = path / "0" / "c" / "1" / "0" / "0"
    raw = bytearray(chunk.read_bytes())
    raw[len(raw) // 2] ^= 1 << bit
    chunk.write_bytes(bytes(raw))
    with pytest.raises(RunDamagedError):
        read_heatmap(path)
