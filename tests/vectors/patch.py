"""A second implementation of patches, from docs/format.md alone (needs zstandard from PyPI).

    python3 tests/vectors/patch.py

holds the library's patch in patch.json against the files in it, writes a patch of its own beside it,
and applies that too. The library's tests apply both.
"""

import hashlib
import json
import pathlib

import zstandard

FILE = pathlib.Path(__file__).with_name("patch.json")


def prefix_dict(prefix):
    raw = zstandard.DICT_TYPE_RAWCONTENT
    return zstandard.ZstdCompressionDict(prefix, dict_type=raw) if prefix else None


def compress(prefix, plain):
    parameters = zstandard.ZstdCompressionParameters.from_level(
        12, window_log=20, write_checksum=False, write_content_size=True
    )
    data = prefix_dict(prefix)
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=data).compress(plain)


def decompress(prefix, frame, length):
    data = prefix_dict(prefix)
    decoder = zstandard.ZstdDecompressor(dict_data=data)
    plain = decoder.decompress(frame, max_output_size=length, allow_extra_data=False)
    assert len(plain) == length
    return plain


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        taken = self.data[self.at : self.at + count]
        assert len(taken) == count, "cut short"
        self.at += count
        return taken

    def number(self):
        number = shift = 0
        while True:
            (byte,) = self.take(1)
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    def numbers(self, count):
        return [self.number() for _ in range(count)]

    def signed(self, count):
        return [(n >> 1) ^ -(n & 1) for n in self.numbers(count)]

    def positions(self, count):
        following, positions = 0, []
        for difference in self.signed(count):
            positions.append(following + difference)
            following = positions[-1] + 1
        return positions

    def done(self):
        return self.at == len(self.data)


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def signed(value):
    return number(value << 1 if value >= 0 else -value * 2 - 1)


def positions(values):
    following, out = 0, b""
    for value in values:
        out += signed(value - following)
        following = value + 1
    return out


def apply(base, patch):
    """The files of the new bundle; `base` maps paths to bytes."""
    old = sorted(base.items(), key=lambda file: file[0].encode())
    reader = Reader(patch)
    assert reader.take(1) == b"\x01"
    travelling, decoded = reader.numbers(2)
    head = Reader(decompress(b"", reader.take(travelling), decoded))

    new, at = {}, 0
    for place, run in enumerate(head.numbers(head.number())):
        if place % 2 == 0:
            new.update(old[at : at + run])
        at += run
    assert at == len(old)

    added = head.number()
    like = head.positions(added)
    like = [old[at] if at < len(old) else ("", b"") for at in like]
    front, back, own, content = (head.numbers(added) for _ in range(4))
    lengths = head.signed(content.count(0))
    makers = [file for file, code in zip(like, content) if code == 0]
    lengths = [len(file[1]) + less for file, less in zip(makers, lengths)]
    paths = []
    for (path, _), front, back, own in zip(like, front, back, own):
        path = path.encode()
        paths.append(path[:front] + head.take(own) + path[len(path) - back :])

    groups = head.number()
    counts, made, frames = (head.numbers(groups) for _ in range(3))
    files = head.positions(sum(counts))
    starts, taken = head.numbers(len(files)), head.numbers(len(files))
    assert head.done() and sum(made) == sum(lengths)

    names = b"".join(path + b"\n" for path in paths)
    stream, part = b"", 0
    for count, length, frame in zip(counts, made, frames):
        prefix = names
        for at in range(part, part + count):
            _, bytes_ = old[files[at]]
            end = starts[at] + taken[at] if taken[at] else len(bytes_)
            prefix += bytes_[starts[at] : end]
        part += count
        stream += decompress(prefix, reader.take(frame), length)
    assert reader.done()

    contents = []
    for length in lengths:
        contents.append(stream[:length])
        stream = stream[length:]
    following = 0
    for path, code in zip(paths, content):
        if code == 0:
            new[path.decode()] = contents[following]
            following += 1
        elif code == 1:
            new[path.decode()] = b""
        else:
            place, odd = divmod(code - 2, 2)
            new[path.decode()] = contents[place] if odd else old[place][1]
    return new


def make(base, new):
    """A patch by other choices than the library's: whatever is not the same is added, no path is
    described by another, groups hold 1,000 bytes and draw on all of the base in two parts a file."""
    old = sorted(base.items(), key=lambda file: file[0].encode())
    head = number(2 * len(old))
    for path, bytes_ in old:
        head += b"\1\0" if new.get(path) == bytes_ else b"\0\1"
    added = [path for path in reversed(sorted(new)) if base.get(path) != new[path]]
    contents = {bytes_: place for place, (_, bytes_) in reversed(list(enumerate(old)))}
    made, codes = [], []
    for path in added:
        bytes_ = new[path]
        if not bytes_:
            codes.append(1)
        elif bytes_ in contents:
            codes.append(2 + 2 * contents[bytes_])
        elif bytes_ in made:
            codes.append(3 + 2 * made.index(bytes_))
        else:
            codes.append(0)
            made.append(bytes_)
    head += number(len(added)) + positions([len(old)] * len(added)) + b"\0" * (2 * len(added))
    head += b"".join(number(len(path.encode())) for path in added)
    head += b"".join(map(number, codes))
    head += b"".join(signed(len(bytes_)) for bytes_ in made)
    head += b"".join(path.encode() for path in added)

    stream = b"".join(made)
    stretches = [stream[at : at + 1000] for at in range(0, len(stream), 1000)]
    prefix = b"".join(path.encode() + b"\n" for path in added)
    parts = []
    for place, (_, bytes_) in enumerate(old):
        half = len(bytes_) // 2
        if half:
            parts += [(place, 0, half), (place, half, 0)]
    prefix += b"".join(bytes_ for _, bytes_ in old if len(bytes_) > 1)
    frames = [compress(prefix, stretch) for stretch in stretches]
    head += number(len(stretches)) + number(len(parts)) * len(stretches)
    head += b"".join(number(len(stretch)) for stretch in stretches)
    head += b"".join(number(len(frame)) for frame in frames)
    head += positions([place for place, _, _ in parts] * len(stretches))
    head += b"".join(number(start) for _, start, _ in parts) * len(stretches)
    head += b"".join(number(taken) for _, _, taken in parts) * len(stretches)
    travelling = compress(b"", head)
    return b"\x01" + number(len(travelling)) + number(len(head)) + travelling + b"".join(frames)


def main():
    vector = json.loads(FILE.read_text())
    base = {path: text.encode() for path, text in vector["base"].items()}
    new = {path: text.encode() for path, text in vector["new"].items()}
    assert apply(base, bytes.fromhex(vector["library"])) == new, "the library's patch"
    vector["script"] = make(base, new).hex()
    assert apply(base, bytes.fromhex(vector["script"])) == new, "the script's patch"
    FILE.write_text(json.dumps(vector, indent=1) + "\n")
    for name in ["library", "script"]:
        digest = hashlib.sha256(bytes.fromhex(vector[name])).hexdigest()
        print(f"{name}: {len(vector[name]) // 2} bytes, {digest[:12]}: as it should be")


main()
