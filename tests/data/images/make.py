"""Writes the image files beside this script, which tests/images reads, into a folder OUT.

From the repository's root, with Python 3.11 or newer:

    python3 -m venv OUT/env &&
    OUT/env/bin/pip install numpy==2.4.6 tifffile==2026.3.3 imagecodecs==2026.3.6 pillow==13.0.0 &&
    OUT/env/bin/python tests/data/images/make.py OUT --check

With `--check` it compares them with the files here, and ends with 1 where one differs. The files of OME-TIFF hold a
random UUID, which is not compared.

A file is named TYPE_PLANESxCHANNELS_WHAT.EXT and holds 7 rows of 17 pixels by the formula of `value`, so that the
name says what a reader must return. TYPE is NumPy's type, `bit` for truth values, or `jpeg` for the smooth formula.
"""

import argparse
import re
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

PARSER = argparse.ArgumentParser(description="Writes the image files that tests/images reads.")
PARSER.add_argument("out", type=Path, help="folder for them, made if it is not there")
PARSER.add_argument("--check", action="store_true", help="compare them with the files beside this script as well")
OPTIONS = PARSER.parse_args()
FILES = "*_*x*_*.*"
H, W = 7, 17
SCALE = {  # value = SCALE * v + OFFSET; every bit of a type is used, and all are exact as float32
    "u1": (1, 0), "u2": (257, 0), "u4": (65537, 0), "u8": (65537, 0),
    "i1": (1, -125), "i2": (257, -32000), "i4": (65537, -8000000), "i8": (65537, -8000000),
    "f2": (0.5, -20), "f4": (0.5, -20), "f8": (0.5, -20),
}
NAMES = {"u1": "u8", "u2": "u16", "u4": "u32", "u8": "u64", "i1": "i8", "i2": "i16", "i4": "i32", "i8": "i64",
         "f2": "f16", "f4": "f32", "f8": "f64"}


def value(kind, planes=1, channels=1):
    """[planes, Y, X, channels] of a type."""
    p, y, x, c = np.meshgrid(*map(np.arange, (planes, H, W, channels)), indexing="ij")
    if kind == "jpeg":
        return (40 + 5 * y + 6 * x + 20 * c).astype("u1")
    v = (31 * y + 7 * x + 101 * c + 13 * p) % 251
    if kind == "bit":
        return v % 2 == 1
    scale, offset = SCALE[kind]
    return (scale * v + offset).astype(kind)


def name(kind, planes, channels, what):
    return OPTIONS.out / f"{NAMES.get(kind, kind)}_{planes}x{channels}_{what}"


def tif(what, kind="u1", planes=1, channels=1, axes="YX", shape=None, **options):
    """One TIFF, its axes a subset of QTZCYXS. `shape` splits the planes over the axes before C, Y and X."""
    data = value(kind, planes, channels)
    lead = shape or ((planes,) if axes[0] not in "YC" else ())
    data = data.reshape((*lead, H, W, channels))
    if "C" in axes:  # channels in pages (or planes of samples) of their own
        data = np.moveaxis(data, -1, axes.index("C"))
    elif "S" not in axes:
        data = data[..., 0]
    assert data.ndim == len(axes), (what, data.shape, axes)
    file = name(kind, planes, channels, what + ".tif")
    options.setdefault("photometric", "minisblack")
    if options.pop("named", False):
        options["metadata"] = {"axes": axes} | options.get("metadata", {})
    else:
        options.setdefault("metadata", None)
    tifffile.imwrite(file, data, **options)
    return file


def types():
    for kind in SCALE:
        tif("plain", kind)
        tif("big", kind, byteorder=">", compression="zlib", rowsperstrip=3)
    for codec in ("lzw", "packbits", "zstd", "zlib", "deflate"):
        for kind in ("u1", "u2"):
            tif(codec, kind, compression=codec, rowsperstrip=3)
    for kind in ("u1", "u2", "u4"):
        tif("predictor2", kind, compression="lzw", predictor=2, rowsperstrip=3)
        tif("predictor2big", kind, compression="zlib", predictor=2, byteorder=">")
        tif("predictor2tiles", kind, compression="zstd", predictor=2, tile=(16, 16))
    for kind in ("f2", "f4", "f8"):
        tif("predictor3", kind, compression="zlib", predictor=3)
        tif("predictor3big", kind, compression="zlib", predictor=3, byteorder=">")
        tif("predictor3tiles", kind, compression="lzw", predictor=3, tile=(16, 16))
    tif("bigtiff", "u2", bigtiff=True)
    tif("bigtiffbig", "u2", bigtiff=True, byteorder=">", compression="zlib", rowsperstrip=3)
    tif("tiles", "u2", tile=(16, 16))
    tif("white", "u1", photometric="miniswhite")
    tif("white", "u2", photometric="miniswhite", compression="lzw")
    tif("bilevel", "bit")
    tif("bilevelwhite", "bit", photometric="miniswhite", compression="packbits")
    colors = np.random.default_rng(0).integers(0, 65536, (3, 256)).astype("u2")
    tif("palette", "u1", photometric="palette", colormap=colors)
    for bits, scale in ((10, 4), (12, 16), (14, 65)):  # packed without gaps
        data = (value("u1").astype("u2") * scale)[0, ..., 0]
        options = dict(bitspersample=bits, photometric="minisblack", metadata=None)
        tifffile.imwrite(name(f"u{bits}", 1, 1, "packed.tif"), data, **options)
        tifffile.imwrite(name(f"u{bits}", 1, 1, "packedstrips.tif"), data, rowsperstrip=3, **options)
    for kind in ("u1", "u2"):
        tif("lzma", kind, compression="lzma", predictor=2, rowsperstrip=3)
        tif("jpeg2000", kind, compression="jpeg2000", tile=(16, 16))
    tif("lzma", "f4", compression="lzma", predictor=3, byteorder=">")
    tif("aperio", channels=3, axes="YXS", photometric="rgb", compression="aperio_jp2000_rgb", tile=(16, 16),
        compressionargs={"level": 0})
    for codec in ("group3", "group4"):
        file = name("bit", 1, 1, codec + ".tif")
        Image.fromarray(value("bit")[0, ..., 0]).save(file, compression=codec, strip_size=6)
    # The lowest bit of each byte first (FillOrder 2).
    for codec in ("none", "lzw"):
        tifffile.imwrite(file := name("u2", 1, 1, f"fillorder{codec}.tif"), value("u2")[0, ..., 0], compression=codec,
                         photometric="minisblack", metadata=None, extratags=[(32934, 3, 1, 2, True)])
        with tifffile.TiffFile(file, mode="r+b") as f:
            (offset,), (length,) = f.pages[0].dataoffsets, f.pages[0].databytecounts
            tag = f.pages[0].tags[32934].offset
        raw = bytearray(file.read_bytes())
        raw[offset:offset + length] = imagecodecs.bitorder_encode(bytes(raw[offset:offset + length]))
        raw[tag:tag + 2] = (266).to_bytes(2, "little")
        file.write_bytes(raw)


def samples():
    for kind in ("u1", "u2"):
        rgb = dict(kind=kind, channels=3, photometric="rgb")
        tif("rgb", axes="YXS", **rgb)
        tif("rgbpredictor", axes="YXS", compression="lzw", predictor=2, **rgb)
        tif("rgbtiles", axes="YXS", compression="zlib", predictor=2, tile=(16, 16), **rgb)
        tif("rgbplanar", axes="CYX", planarconfig="separate", **rgb)
    extra = dict(axes="YXS", channels=5, photometric="rgb", compression="lzw", predictor=2)
    tif("rgbextra", extrasamples=[0, 0], **extra)
    for kind in ("u1", "i2"):
        tif("contig", kind, channels=5, axes="YXS", planarconfig="contig", rowsperstrip=3)
        tif("planar", kind, channels=5, axes="CYX", planarconfig="separate", rowsperstrip=3)
        tif("planartiles", kind, channels=5, axes="CYX", planarconfig="separate", tile=(16, 16))
    tif("planarpredictor", "u2", channels=2, axes="CYX", planarconfig="separate", compression="zlib",
        predictor=2, tile=(16, 16))
    for kind in ("u1", "u2"):  # opacity is left out: three channels are expected
        data = np.concatenate([value(kind, 1, 3)[0], np.full((H, W, 1), 77, kind)], -1)
        options = dict(photometric="rgb", compression="zlib", predictor=2, metadata=None)
        for number, opacity in enumerate(("assocalpha", "unassalpha")):
            tifffile.imwrite(name(kind, 1, 3, f"alpha{number + 1}.tif"), data, extrasamples=[opacity], **options)
    for kind in ("u1", "u2"):  # of grey too
        data = np.concatenate([value(kind)[0], value(kind, 1, 1)[0][::-1]], -1)
        for number, opacity in enumerate(("assocalpha", "unassalpha")):
            tifffile.imwrite(name(kind, 1, 1, f"grayalpha{number + 1}.tif"), data, extrasamples=[opacity],
                             photometric="minisblack", planarconfig="contig", metadata=None)
    jpeg = dict(kind="jpeg", compression="jpeg", compressionargs={"level": 100})
    tif("gray", **jpeg)
    tif("graytiles", tile=(16, 16), **jpeg)
    tif("rgb", channels=3, axes="YXS", photometric="rgb", **jpeg)
    tif("rgbtiles", channels=3, axes="YXS", photometric="rgb", tile=(16, 16), subsampling=(1, 1), **jpeg)


def pages():
    tif("pages", channels=2, axes="CYX")
    tif("pages", "u2", channels=4, axes="CYX", compression="lzw")
    tif("pages", "u2", planes=5, axes="QYX")
    tif("pages", "u1", planes=20, axes="QYX", compression="zlib", byteorder=">")
    tif("rgbpages", planes=3, channels=3, axes="QYXS", photometric="rgb")
    for axes, shape, channels in (("ZYX", (3,), 1), ("ZCYX", (4,), 2), ("TZCYX", (2, 3), 2)):
        planes = int(np.prod(shape))
        options = dict(axes=axes, shape=shape, planes=planes, channels=channels, named=True)
        low = axes.lower()
        tif("ome" + low, "u2", ome=True, **options)
        tif("shaped" + low, "u1", **options)
        tif("imagej" + low, "u1", imagej=True, **options)
        # One directory, the other pages follow it.
        tif("truncated" + low, "u1", truncate=True, **options)
        tif("imagejtruncated" + low, "u2", truncate=True, imagej=True, **options)
    tif("omecyx", channels=6, axes="CYX", ome=True, named=True, bigtiff=True)
    tif("omeplanar", channels=3, axes="CYX", ome=True, named=True, planarconfig="separate")
    tif("omergb", planes=4, channels=3, axes="ZYXS", ome=True, named=True, photometric="rgb")
    tif("imagejrgb", planes=2, channels=3, axes="ZYXS", imagej=True, named=True, photometric="rgb")
    tif("shapedcyx", channels=6, axes="CYX", named=True)
    tif("shapedunnamed", planes=6, axes="QYX", metadata={})
    tif("truncatedfloat", "f4", planes=5, axes="ZYX", named=True, truncate=True)
    for kind in ("u4", "u8", "i1", "i2", "i4", "i8", "f2", "f8"):
        order = ">" if kind in ("u4", "f8") else "<"
        tif("truncated", kind, planes=5, axes="ZYX", named=True, truncate=True, byteorder=order)

    # The order of OME-XML, where the channels run slowest: page = 6 c + 2 z + t.
    data = value("u1", 6, 2).reshape(2, 3, H, W, 2).transpose(4, 1, 0, 2, 3)
    options = dict(ome=True, metadata={"axes": "CZTYX"}, photometric="minisblack")
    tifffile.imwrite(name("u1", 6, 2, "omecztyx.tif"), data, **options)

    data = value("u2", 3)[..., 0]
    small = dict(metadata=None, photometric="minisblack")
    with tifffile.TiffWriter(name("u2", 1, 1, "thumbnail.tif")) as f:
        f.write(data[0], **small)
        f.write(data[0][::2, ::2], **small)
        f.write(data[1], subfiletype=1, **small)
    with tifffile.TiffWriter(name("u2", 1, 1, "thumbnailfirst.tif")) as f:
        f.write(data[0][::2, ::2], subfiletype=1, **small)
        f.write(data[0], **small)
        f.write(data[0][::4, ::4], **small)
    with tifffile.TiffWriter(name("u2", 3, 1, "pyramid.ome.tif"), ome=True) as f:
        f.write(data, subifds=1, tile=(16, 16), metadata={"axes": "ZYX"}, photometric="minisblack")
        f.write(data[:, ::2, ::2], subfiletype=1, tile=(16, 16), photometric="minisblack")


def pngs():
    one, three = value("u1")[0, ..., 0], value("u1", 1, 3)[0]
    opaque = np.full((H, W, 1), 77, "u1")
    Image.fromarray(one).save(name("u1", 1, 1, "gray.png"))
    Image.fromarray(three).save(name("u1", 1, 3, "rgb.png"))
    Image.fromarray(np.dstack([three, opaque])).save(name("u1", 1, 3, "rgba.png"))
    Image.fromarray(np.dstack([one, opaque])).save(name("u1", 1, 1, "grayalpha.png"))
    for kind, channels in (("u2", 1), ("u2", 3)):
        data = value(kind, 1, channels)[0].squeeze()
        name(kind, 1, channels, "16.png").write_bytes(imagecodecs.png_encode(data))
    # The palette maps every index to the formula's colours.
    index = np.arange(H * W, dtype="u1").reshape(H, W)
    palette = Image.fromarray(index).convert("P")
    palette.putpalette(list(three.reshape(-1)) + [0] * (768 - 3 * H * W))
    palette.save(name("u1", 1, 3, "palette.png"))
    palette.save(name("u1", 1, 3, "palettealpha.png"), transparency=5)
    Image.fromarray(value("bit")[0, ..., 0]).save(name("bit255", 1, 1, "onebit.png"))


def bmps():
    three = value("u1", 1, 3)[0]
    Image.fromarray(three).save(name("u1", 1, 3, "rgb.bmp"))
    Image.fromarray(np.dstack([three, np.full((H, W, 1), 77, "u1")])).save(name("u1", 1, 3, "rgba.bmp"))
    index = Image.fromarray(np.arange(H * W, dtype="u1").reshape(H, W)).convert("P")
    index.putpalette(list(three.reshape(-1)) + [0] * (768 - 3 * H * W))
    index.save(name("u1", 1, 3, "palette.bmp"))


def jpegs():
    smooth = value("jpeg", 1, 3)[0]
    best = dict(quality=98, subsampling=0)
    Image.fromarray(smooth[..., 0]).save(name("jpeg", 1, 1, "gray.jpg"), **best)
    Image.fromarray(smooth).save(name("jpeg", 1, 3, "rgb.jpg"), **best)
    Image.fromarray(smooth).save(name("jpeg", 1, 3, "restart.jpg"), restart_marker_blocks=1, **best)
    Image.fromarray(smooth).save(name("jpeg", 1, 3, "progressive.jpeg"), progressive=True, **best)
    ink = np.dstack([255 - smooth, np.zeros((H, W, 1), "u1")])
    Image.fromarray(ink, mode="CMYK").save(name("jpeg", 1, 3, "cmyk.jpg"), **best)


def npys():
    for kind in SCALE:
        np.save(name(kind, 1, 1, "little.npy"), value(kind)[0, ..., 0].astype("<" + kind))
    for kind in ("u2", "i4", "f2", "f8"):
        np.save(name(kind, 1, 1, "big.npy"), value(kind)[0, ..., 0].astype(">" + kind))
    np.save(name("bit", 1, 1, "bool.npy"), value("bit")[0, ..., 0])
    np.save(name("u2", 1, 1, "fortran.npy"), np.asfortranarray(value("u2")[0, ..., 0]))
    np.save(name("u2", 1, 3, "last.npy"), value("u2", 1, 3)[0])
    np.save(name("u2", 1, 3, "first.npy"), np.moveaxis(value("u2", 1, 3)[0], -1, 0))
    np.save(name("u2", 1, 3, "fortran.npy"), np.asfortranarray(np.moveaxis(value("u2", 1, 3)[0], -1, 0)))
    np.save(name("u1", 11, 1, "planes.npy"), value("u1", 11)[..., 0])
    np.save(name("u1", 2, 3, "four.npy"), value("u1", 2, 3))
    np.save(name("u1", 4, 3, "fourfirst.npy"), np.moveaxis(value("u1", 4, 3), -1, 1))
    with name("u1", 1, 1, "version2.npy").open("wb") as f:
        np.lib.format.write_array(f, value("u1")[0, ..., 0], version=(2, 0))


def contents(folder):
    """The bytes of each file by its name, without the UUIDs of OME-TIFF."""
    return {file.name: re.sub(rb"urn:uuid:[0-9a-f-]{36}", b"", file.read_bytes()) for file in folder.glob(FILES)}


OPTIONS.out.mkdir(parents=True, exist_ok=True)
for write in (types, samples, pages, pngs, bmps, jpegs, npys):
    write()
made = contents(OPTIONS.out)
print(len(made), "files,", sum((OPTIONS.out / name).stat().st_size for name in made), "bytes")
if OPTIONS.check:
    committed = contents(Path(__file__).parent)
    other = sorted(name for name in made.keys() | committed if made.get(name) != committed.get(name))
    for file in other:
        print(f"{file}: differs from tests/data/images")
    sys.exit(1 if other else 0)
