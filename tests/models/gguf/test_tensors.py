import hashlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGUFReader, GGUFWriter, quants
from gguf import GGMLQuantizationType as T
from hypothesis import given, settings
from hypothesis import strategies as st

from ponder.core.errors import MissingExtra, UsageError
from ponder.models.gguf import tensors as gguf
from ponder.models.gguf.tensors import needs_rewrite, requantise
from tests.support.gguf import tiny_gguf


def test_the_table_of_types_is_that_of_the_format() -> None:
    for kind, (name, block, size) in gguf._TYPES.items():
        assert (T(kind).name, GGML_QUANT_SIZES[T(kind)]) == (name, (block, size))


def test_unreadable_tensors_become_q8_0_and_nothing_else_changes(tmp_path: Path) -> None:
    types = (T.Q5_0, T.Q4_0, T.Q5_1, T.BF16, T.Q5_K, T.F16, T.IQ4_NL, T.Q8_0)
    src, dst = tiny_gguf(tmp_path / "a.gguf", types), tmp_path / "b.gguf"
    assert needs_rewrite(src) == ["BF16", "IQ4_NL", "Q5_0", "Q5_1", "Q5_K"]
    seen: list[tuple[int, int]] = []
    digest = requantise(src, dst, lambda done, total: seen.append((done, total)))
    assert digest == hashlib.sha256(dst.read_bytes()).hexdigest()
    assert needs_rewrite(dst) == []
    size = dst.stat().st_size
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)
    before, after = GGUFReader(src), GGUFReader(dst)
    assert after.alignment == before.alignment == 64
    assert list(after.fields) == list(before.fields)
    for key, value in before.fields.items():
        assert after.fields[key].types == value.types
        assert after.fields[key].contents() == value.contents()
    assert [t.name for t in after.tensors] == [t.name for t in before.tensors]
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert list(new.shape) == list(old.shape)
        assert new.data_offset % 64 == 0
        if old.tensor_type.name not in needs_rewrite(src):
            assert new.tensor_type == old.tensor_type
            assert new.data.tobytes() == old.data.tobytes()
            continue
        assert new.tensor_type == T.Q8_0
        exact = quants.dequantize(old.data, old.tensor_type).reshape(-1, 32)
        got = quants.dequantize(new.data, T.Q8_0).reshape(-1, 32)
        # Half a step of 1/127 of the block's largest weight, and the scale's rounding to F16.
        bound = np.abs(exact).max(axis=1, keepdims=True) * (0.5 / 127 + 2**-10)
        assert np.all(np.abs(exact - got) <= bound)


def test_arrays_are_read_where_they_are_wanted(tmp_path: Path) -> None:
    header = gguf.read_header(tiny_gguf(tmp_path / "a.gguf"))
    assert gguf.array(header, "tokenizer.ggml.tokens") == ["a", "", "ß", "<|im_end|>"]
    assert gguf.array(header, "scores") == [0.5, -1.0]
    assert gguf.array(header, "flags") == [True, False]
    assert gguf.array(header, "nothing") == []
    with pytest.raises(ValueError, match="large is not an array"):
        gguf.array(header, "large")


def test_rewriting_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    src = tiny_gguf(tmp_path / "a.gguf", (T.Q5_0, T.Q5_1), rows=700)  # several chunks
    digests = {requantise(src, tmp_path / f"{i}.gguf") for i in range(2)}
    assert len(digests) == 1
    assert requantise(tmp_path / "0.gguf", tmp_path / "2.gguf") in digests  # nothing left to do


def test_vectors_and_ragged_rows_become_f32(tmp_path: Path) -> None:
    src, dst = tmp_path / "a.gguf", tmp_path / "b.gguf"
    writer = GGUFWriter(src, "llama")
    values = np.linspace(-1, 1, 64, dtype=np.float32)
    for name, shape in (("vector", (64,)), ("ragged", (4, 16))):
        data = quants.quantize(values.reshape(shape), T.BF16)
        writer.add_tensor(name, data, raw_dtype=T.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    requantise(src, dst)
    for old, new in zip(GGUFReader(src).tensors, GGUFReader(dst).tensors, strict=True):
        assert new.tensor_type == T.F32
        assert np.array_equal(new.data, quants.dequantize(old.data, T.BF16))


def test_a_type_without_conversion_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    src, dst = tmp_path / "a.gguf", tmp_path / "b.gguf"
    writer = GGUFWriter(src, "llama")
    writer.add_tensor("ids", np.arange(64, dtype=np.int32).reshape(2, 32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UsageError, match="I32 cannot be rewritten"):
        requantise(src, dst)
    assert not list(tmp_path.glob("b.gguf*"))


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    src = tiny_gguf(tmp_path / "a.gguf")
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert needs_rewrite(src) == ["Q5_0"]  # needs no package
    with pytest.raises(MissingExtra, match=r"ponder\[local\]"):
        requantise(src, tmp_path / "b.gguf")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot mmap an empty file"),
        (b"GGUF", "requires a buffer"),
        (b"GGML" + bytes(20), "begin with 'GGUF'"),
        (struct.pack("<4sIQQ", b"GGUF", 1, 0, 0), "version 2 or 3"),
        (struct.pack("<4sIQQQ", b"GGUF", 3, 0, 1, 2**63), "truncated in its header"),
    ],
)
def test_what_is_no_gguf_file(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        needs_rewrite(path)
    assert "not a whole GGUF file" in str(caught.value)
    with pytest.raises(UsageError, match="cannot read"):
        needs_rewrite(tmp_path / "absent.gguf")


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_damaged_headers_are_refused_and_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = _whole(tmp_path_factory)
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 700))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    path = whole.with_name("damaged.gguf")
    path.write_bytes(content[:cut])
    try:
        needs_rewrite(path)
    except UsageError:
        return


def _whole(factory: pytest.TempPathFactory) -> Path:
    path = factory.getbasetemp() / "whole.gguf"
    return path if path.exists() else tiny_gguf(path)
