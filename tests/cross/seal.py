"""Sealed releases, written and read a second time, from docs/format.md and RFC 9180 alone.

    seal.py open KEY MANIFEST BLOBS OUT      opens a sealed release into the folder OUT
    seal.py seal KEY WEB MANIFEST BLOBS      seals the folder WEB for KEY's public half

KEY is an X25519 key in PEM. No line of it is shared with the library, so that one mistake cannot
agree with itself.
"""

import hmac
import json
import os
import sys
from hashlib import sha256
from pathlib import Path

import brotli
import zstandard
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SEGMENT, TAG, PADDING = 65536, 16, 1024
APP = "com.example.shop"


def framed(*texts):
    return b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in texts)


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(public):
    return sha256(framed("farad/recipient/1") + raw(public)).digest()[:16].hex()


def derive(content, salt, *info):
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=framed(*info))
    return kdf.derive(content)


class Suite:
    """HPKE, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM."""

    KEM = b"KEM" + (0x0020).to_bytes(2, "big")
    HPKE = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x0020, 0x0001, 0x0002))

    @staticmethod
    def extract(suite, salt, label, ikm):
        return hmac.new(salt or bytes(32), b"HPKE-v1" + suite + label + ikm, sha256).digest()

    @staticmethod
    def expand(suite, prk, label, info, length):
        info = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return HKDFExpand(algorithm=hashes.SHA256(), length=length, info=info).derive(prk)

    @classmethod
    def cipher(cls, shared, enc, recipient, info):
        prk = cls.extract(cls.KEM, b"", b"eae_prk", shared)
        secret = cls.expand(cls.KEM, prk, b"shared_secret", enc + recipient, 32)
        psk = cls.extract(cls.HPKE, b"", b"psk_id_hash", b"")
        context = b"\0" + psk + cls.extract(cls.HPKE, b"", b"info_hash", info)
        prk = cls.extract(cls.HPKE, secret, b"secret", b"")
        key = cls.expand(cls.HPKE, prk, b"key", context, 32)
        return AESGCM(key), cls.expand(cls.HPKE, prk, b"base_nonce", context, 12)

    @classmethod
    def seal(cls, public, info, plain):
        own = X25519PrivateKey.generate()
        enc = raw(own.public_key())
        cipher, nonce = cls.cipher(own.exchange(public), enc, raw(public), info)
        return enc, cipher.encrypt(nonce, plain, b"")

    @classmethod
    def open(cls, private, enc, info, sealed):
        shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
        cipher, nonce = cls.cipher(shared, enc, raw(private.public_key()), info)
        return cipher.decrypt(nonce, sealed, b"")


def nonce(number, last):
    return bytes(7) + number.to_bytes(4, "big") + bytes([last])


class Content:
    """The content key of one release."""

    def __init__(self, key):
        self.key = key

    def commit(self):
        return derive(self.key, None, "farad/commit/1").hex()

    def label(self, identity):
        return hmac.new(derive(self.key, None, "farad/label/1"), identity, sha256).hexdigest()

    def cipher(self, kind, salt):
        return AESGCM(derive(self.key, salt, "farad/object/1", APP, kind))

    def open_object(self, kind, blob, sealed):
        cipher = self.cipher(kind, bytes.fromhex(blob["salt"]))
        cuts = range(0, len(sealed), SEGMENT + TAG)
        parts = [sealed[at : at + SEGMENT + TAG] for at in cuts]
        last = len(parts) - 1
        plain = b"".join(
            cipher.decrypt(nonce(n, n == last), part, None) for n, part in enumerate(parts)
        )
        length = int.from_bytes(plain[:8], "big")
        assert len(plain) % PADDING == 0 and not any(plain[8 + length :])
        return plain[8 : 8 + length]

    def seal_object(self, kind, plain):
        salt = os.urandom(32)
        cipher = self.cipher(kind, salt)
        padded = len(plain).to_bytes(8, "big") + plain
        padded += bytes(-len(padded) % PADDING)
        cuts = range(0, len(padded), SEGMENT)
        parts = [padded[at : at + SEGMENT] for at in cuts]
        last = len(parts) - 1
        sealed = [cipher.encrypt(nonce(n, n == last), part, None) for n, part in enumerate(parts)]
        return salt, b"".join(sealed)


def checked(blobs, blob):
    sealed = (blobs / blob["sha256"]).read_bytes()
    assert len(sealed) == blob["length"] and sha256(sealed).hexdigest() == blob["sha256"]
    return sealed


def unpacked(coding, bytes_):
    if coding == "brotli":
        return brotli.decompress(bytes_)
    assert coding == "zstd", coding
    return zstandard.ZstdDecompressor().decompressobj().decompress(bytes_)


def packed(place, bytes_):
    """Both codings in turn."""
    if place % 2:
        return "brotli", brotli.compress(bytes_, quality=5, lgwin=22)
    return "zstd", zstandard.ZstdCompressor(level=3).compress(bytes_)


CODINGS = ["zstd", "brotli"]


def read_layout(left):
    def number():
        nonlocal left
        end = next(at for at, byte in enumerate(left) if byte < 128)
        taken, left = left[: end + 1], left[end + 1 :]
        assert end == 0 or taken[-1] != 0
        return sum((byte & 127) << 7 * at for at, byte in enumerate(taken))

    assert left[0] == 1
    left = left[1:]
    filler, count = number(), number()
    codings, held, lengths = ([number() for _ in range(count)] for _ in range(3))
    files, place = [], 0
    for _ in range(sum(held)):
        step = number()
        files.append(place + (-(step + 1) // 2 if step % 2 else step // 2))
        place = files[-1] + 1
    frames = []
    for coding, own, length in zip(codings, held, lengths):
        pieces = -(-length // (SEGMENT + TAG))
        digests, left = left[: 16 * pieces], left[16 * pieces :]
        frame = {"coding": CODINGS[coding], "length": length, "files": files[:own]}
        frame["pieces"] = [digests[at : at + 16] for at in range(0, 16 * pieces, 16)]
        files = files[own:]
        frames.append(frame)
    assert left == b""
    return filler, frames


def write_layout(filler, frames):
    def number(value):
        low, high = value & 127, value >> 7
        return bytes([low | 128]) + number(high) if high else bytes([low])

    numbers = [1, filler, len(frames)]
    numbers += [CODINGS.index(frame["coding"]) for frame in frames]
    numbers += [len(frame["files"]) for frame in frames]
    numbers += [frame["length"] for frame in frames]
    place = 0
    for file in (file for frame in frames for file in frame["files"]):
        numbers.append(2 * (file - place) if file >= place else 2 * (place - file) - 1)
        place = file + 1
    return b"".join(map(number, numbers)) + b"".join(b"".join(f["pieces"]) for f in frames)


def open_release(private, manifest_path, blobs, out):
    manifest = json.loads(manifest_path.read_bytes())
    seal = manifest["seal"]
    mine = key_id(private.public_key())
    recipient = next(one for one in seal["recipients"] if one["kid"] == mine)
    info = framed("farad/seal/1", manifest["app"], seal["commit"])
    enc, wrapped = bytes.fromhex(recipient["enc"]), bytes.fromhex(recipient["wrapped"])
    content = Content(Suite.open(private, enc, info, wrapped))
    assert content.commit() == seal["commit"]

    def small(kind):
        blob = manifest[kind]
        return unpacked(blob["coding"], content.open_object(kind, blob, checked(blobs, blob)))

    index = small("index")
    assert content.label(sha256(index).digest()) == manifest["bundle"]["keyed"]
    files = [line.split(" ", 2) for line in index.decode().splitlines()[1:]]
    filler, frames = read_layout(small("layout"))
    pack = checked(blobs, manifest["pack"])
    cipher = content.cipher("pack", bytes.fromhex(manifest["pack"]["salt"]))
    pieces = sum(len(frame["pieces"]) for frame in frames)
    number, at, contents = 0, 0, {}
    for frame in frames:
        sealed, at = pack[at : at + frame["length"]], at + frame["length"]
        plain = b""
        for cut, digest in enumerate(frame["pieces"]):
            piece = sealed[cut * (SEGMENT + TAG) : (cut + 1) * (SEGMENT + TAG)]
            assert sha256(piece).digest()[:16] == digest
            plain += cipher.decrypt(nonce(number, number == pieces - 1), piece, None)
            number += 1
        plain = unpacked(frame["coding"], plain)
        for place in frame["files"]:
            digest, length = files[place][0], int(files[place][1])
            contents[digest], plain = plain[:length], plain[length:]
        assert plain == b""
    assert at + filler == len(pack) and len(pack) % PADDING == 0
    contents[sha256(b"").hexdigest()] = b""
    for digest, length, path in files:
        assert sha256(contents[digest]).hexdigest() == digest and len(contents[digest]) == int(length)
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(contents[digest])


def seal_release(public, web, manifest_path, blobs):
    content = Content(os.urandom(32))
    blobs.mkdir()
    paths = sorted(str(p.relative_to(web)) for p in web.rglob("*") if p.is_file())
    files = [(path, (web / path).read_bytes()) for path in paths]
    lines = [f"{sha256(bytes_).hexdigest()} {len(bytes_)} {path}\n" for path, bytes_ in files]
    index = ("farad-index 1\n" + "".join(lines)).encode()

    def rounded(length):
        return length + -length % PADDING

    def keep(salt, sealed, coding, decoded):
        (blobs / sha256(sealed).hexdigest()).write_bytes(sealed)
        return {
            "sha256": sha256(sealed).hexdigest(),
            "length": len(sealed),
            "coding": coding,
            "decoded": rounded(decoded),
            "salt": salt.hex(),
        }

    def small(kind, plain):
        coding, coded = packed(["index", "layout"].index(kind), plain)
        return keep(*content.seal_object(kind, coded), coding, len(plain))

    # One frame for each content: grouping is the writer's choice.
    seen, coded = set(), []
    for place, (_, bytes_) in enumerate(files):
        if bytes_ and bytes_ not in seen:
            seen.add(bytes_)
            coded.append((place, *packed(place, bytes_)))
    cuts = [
        (place, coding, frame[at : at + SEGMENT])
        for place, coding, frame in coded
        for at in range(0, len(frame), SEGMENT)
    ]
    salt = os.urandom(32)
    cipher = content.cipher("pack", salt)
    pack, frames = b"", {}
    for number, (place, coding, piece) in enumerate(cuts):
        sealed = cipher.encrypt(nonce(number, number == len(cuts) - 1), piece, None)
        begun = {"coding": coding, "length": 0, "files": [place], "pieces": []}
        frame = frames.setdefault(place, begun)
        frame["length"] += len(sealed)
        frame["pieces"].append(sha256(sealed).digest()[:16])
        pack += sealed
    filler = -len(pack) % PADDING
    pack += os.urandom(filler)
    layout = write_layout(filler, list(frames.values()))
    info = framed("farad/seal/1", APP, content.commit())
    enc, wrapped = Suite.seal(public, info, content.key)
    manifest = {
        "schema": 1,
        "app": APP,
        "channel": "production",
        "requires": ["seal"],
        "version": "1.0.0",
        "sequence": 1,
        "created": "2026-11-25T10:00:00Z",
        "native": {},
        "bundle": {"keyed": content.label(sha256(index).digest())},
        "index": small("index", index),
        "layout": small("layout", layout),
        "pack": keep(salt, pack, "frames", sum(len(bytes_) for bytes_ in seen)),
        "seal": {
            "alg": "hpke-x25519-aes256gcm",
            "commit": content.commit(),
            "recipients": [{"kid": key_id(public), "enc": enc.hex(), "wrapped": wrapped.hex()}],
        },
    }
    manifest_path.write_text(json.dumps(manifest))


def main():
    what, key, *places = sys.argv[1:]
    private = serialization.load_pem_private_key(Path(key).read_bytes(), password=None)
    if what == "open":
        open_release(private, *map(Path, places))
    elif what == "seal":
        seal_release(private.public_key(), *map(Path, places))
    else:
        sys.exit(__doc__)


main()
