"""Writes APKs in the ways that zips are written, for `publisher/tests/cross_apk.rs`.

    apk.py FOLDER

leaves FOLDER/NAME.apk for each way, and FOLDER/expect.json: for each of them what Python itself reads back, by
name of the entry the SHA-256 of its bytes.
"""

import hashlib
import io
import json
import random
import sys
import zipfile
from pathlib import Path

PUBLIC = "assets/public/"
ALIGNED = 4096


def files():
    """Web files of an app: text, noise, nothing, names beyond ASCII."""
    noise = random.Random(7)
    yield "assets/capacitor.config.json", b'{"appId":"com.example.shop"}'
    yield PUBLIC + "index.html", b"<!doctype html><title>Shop</title>\n" * 9
    yield PUBLIC + "a/app.js", b"export const price = (cents) => cents / 100;\n" * 20_000
    yield PUBLIC + "a/photo.jpg", noise.randbytes(300_000)
    yield PUBLIC + "größe @2x.png", noise.randbytes(1_000)
    yield PUBLIC + "empty.txt", b""


def plain(archive, level=6):
    for at, (name, content) in enumerate(files()):
        method = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[at % 2]
        archive.writestr(name, content, method, level)


def aligned(archive):
    """Stored entries begin at multiples of a page, as zipalign has it: their local heads are padded."""
    for name, content in files():
        info = zipfile.ZipInfo(name)
        begin = archive.fp.tell() + 30 + len(name.encode())
        padding = -(begin + 4) % ALIGNED
        # Android's own field for that, 0xd935.
        info.extra = b"\x35\xd9" + padding.to_bytes(2, "little") + bytes(padding)
        archive.writestr(info, content)


def wide(archive):
    """Every local head in the 64-bit form."""
    for name, content in files():
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as entry:
            entry.write(content)


def many(archive):
    """More entries than the end of a zip can count without its 64-bit form."""
    for number in range(66_000):
        archive.writestr(f"res/{number}", b"")
    plain(archive)


class Stream(io.RawIOBase):
    """A file that cannot go back: lengths and checksums follow the bytes."""

    def __init__(self, file):
        self.file = file

    def writable(self):
        return True

    def write(self, content):
        return self.file.write(content)


def write(folder):
    def archive(name, fill, comment=b""):
        with zipfile.ZipFile(folder / f"{name}.apk", "w") as zip:
            fill(zip)
            zip.comment = comment

    archive("plain", plain)
    archive("best", lambda zip: plain(zip, 9))
    archive("aligned", aligned)
    archive("wide", wide)
    archive("many", many)
    archive("commented", plain, b"PK and more, " * 5_000)
    with open(folder / "streamed.apk", "wb") as file, zipfile.ZipFile(Stream(file), "w") as zip:
        plain(zip)
    with open(folder / "after.apk", "wb") as file:
        file.write(b"something else\n" * 1_000)
        with zipfile.ZipFile(file, "a") as zip:
            plain(zip)


def expect(path):
    with zipfile.ZipFile(path) as zip:
        names = [name for name in zip.namelist() if name.startswith("assets/")]
        return {name: hashlib.sha256(zip.read(name)).hexdigest() for name in names}


folder = Path(sys.argv[1])
write(folder)
found = {path.stem: expect(path) for path in sorted(folder.glob("*.apk"))}
(folder / "expect.json").write_text(json.dumps(found))
