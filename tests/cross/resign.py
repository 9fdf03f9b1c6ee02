"""Signs a repository of ours anew with python-tuf, by keys of other types.

    resign.py REPOSITORY OUT

OUT gets what a publisher with python-tuf, smart cards and RSA keys would have: the same documents and
blobs, the same delegations, but metadata written by python-tuf and signed by P-256 and RSA keys, and
OUT/root.json to start from.
"""

import shutil
import sys
from itertools import cycle
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile, Metadata, Root
from tuf.api.serialization.json import JSONSerializer

MAKERS = cycle([CryptoSigner.generate_ecdsa, CryptoSigner.generate_rsa])


def newest(metadata, role):
    """The newest file of a role."""
    files = metadata.glob(f"*.{role}.json")
    path = max(files, key=lambda path: int(path.name.split(".")[0]))
    return Metadata.from_file(str(path))


def main():
    repository, out = Path(sys.argv[1]), Path(sys.argv[2])
    (out / "metadata").mkdir(parents=True)
    for folder in ["targets", "blobs"]:
        shutil.copytree(repository / folder, out / folder)
    metadata = repository / "metadata"
    old = newest(metadata, "root").signed
    root = Metadata(Root(expires=old.expires, consistent_snapshot=True))
    signers = {role: next(MAKERS)() for role in old.roles}
    for role, signer in signers.items():
        root.signed.add_key(signer.public_key, role)

    targets = newest(metadata, "targets")
    delegations = targets.signed.delegations
    delegations.keys.clear()
    for name, role in delegations.roles.items():
        signers[name] = next(MAKERS)()
        key = signers[name].public_key
        delegations.keys[key.keyid] = key
        role.keyids, role.threshold = [key.keyid], 1

    def write(name, document, role):
        document.sign(signers[role])
        data = document.to_bytes(JSONSerializer())
        (out / "metadata" / name).write_bytes(data)
        return data

    snapshot = newest(metadata, "snapshot")
    for file, listing in snapshot.signed.meta.items():
        role = file.removesuffix(".json")
        document = targets if role == "targets" else newest(metadata, role)
        data = write(f"{listing.version}.{file}", document, role)
        snapshot.signed.meta[file] = MetaFile.from_data(listing.version, data, ["sha256"])
    version = snapshot.signed.version
    data = write(f"{version}.snapshot.json", snapshot, "snapshot")
    timestamp = Metadata.from_file(str(metadata / "timestamp.json"))
    timestamp.signed.snapshot_meta = MetaFile.from_data(version, data, ["sha256"])
    write("timestamp.json", timestamp, "timestamp")
    (out / "root.json").write_bytes(write("1.root.json", root, "root"))


main()
