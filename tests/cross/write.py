"""Writes TUF repositories with python-tuf, for our client to read.

    write.py OUT

For each type of key, and for all of them mixed, OUT/<type>/1 and OUT/<type>/2 are two states of one
repository (metadata/ and targets/), with OUT/<type>/root.json to start from. expect.json in each
says what every target is. The second state has a new root, by which every key is another.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from itertools import cycle
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    MetaFile,
    Metadata,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

MAKERS = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa": CryptoSigner.generate_ecdsa,
    "rsa": CryptoSigner.generate_rsa,
}
# A few keys of each type go round: RSA keys take long to make.
KEYS = {kind: cycle([make() for _ in range(5)]) for kind, make in MAKERS.items()}
EXPIRES = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=30)
TOP = ["root", "targets", "snapshot", "timestamp"]


class Repository:
    """One repository. `kinds` are the types of the keys of every role; each role needs one
    signature of each."""

    def __init__(self, folder, kinds, compact):
        self.folder = folder
        self.kinds = kinds
        self.serializer = JSONSerializer(compact=compact)
        self.signers = {}
        self.root = Metadata(Root(expires=EXPIRES, consistent_snapshot=True))
        self.version = 0

    def new_keys(self, role):
        """Gives a role other keys than it had."""
        self.signers[role] = [next(KEYS[kind]) for kind in self.kinds]
        return [signer.public_key for signer in self.signers[role]]

    def next_root(self):
        """Gives every top-level role other keys; the old root keys vouch for that."""
        before = self.signers.get("root", [])
        signed = self.root.signed
        signed.version += 1 if before else 0
        for role in TOP:
            for keyid in list(signed.roles[role].keyids):
                signed.revoke_key(keyid, role)
            for key in self.new_keys(role):
                signed.add_key(key, role)
            signed.roles[role].threshold = len(self.kinds)
        self.root.signatures.clear()
        for signer in [*before, *self.signers["root"]]:
            self.root.sign(signer, append=True)

    def delegation(self, name, **what):
        keys = self.new_keys(name)
        ids = [key.keyid for key in keys]
        role = DelegatedRole(name, ids, len(ids), what.pop("terminating", False), **what)
        return role, {key.keyid: key for key in keys}

    def delegations(self, *delegations):
        roles = {role.name: role for role, _ in delegations}
        keys = {keyid: key for _, keys in delegations for keyid, key in keys.items()}
        return Delegations(keys, roles)

    def publish(self, contents):
        """Writes the next state. `contents` are the texts of targets by role and path."""
        self.version += 1
        state = self.folder / str(self.version)
        (state / "metadata").mkdir(parents=True)
        self.next_root()
        roles = {
            name: Metadata(Targets(version=self.version, expires=EXPIRES))
            for name in ["targets", *(name for name in contents if name != "targets")]
        }
        in_bin = sha256(b"hashed/file.json").hexdigest()
        roles["targets"].signed.delegations = self.delegations(
            self.delegation("other-bins", path_hash_prefixes=["zz", in_bin[::-1][:8]]),
            self.delegation("bin", path_hash_prefixes=["00000000", in_bin[:4]], terminating=True),
            self.delegation("docs", paths=["docs/*", "docs/?/*.json"]),
        )
        roles["docs"].signed.delegations = self.delegations(
            self.delegation("below-docs", paths=["docs/deep.json", "docs/*/*"])
        )
        for name, texts in contents.items():
            for path, text in texts.items():
                self.put(state, roles[name].signed, path, text.encode())
        # Fields that nobody knows are signed all the same; control characters stand raw there.
        roles["targets"].signed.unrecognized_fields["x-note"] = 'é "quoted" \\ line\nline \u2028 \t'
        snapshot = Metadata(Snapshot(version=self.version, expires=EXPIRES))
        for name, metadata in roles.items():
            data = self.sign(metadata, name)
            self.write(state, f"{self.version}.{name}.json", data)
            listing = MetaFile.from_data(self.version, data, ["sha256", "sha512"])
            snapshot.signed.meta[f"{name}.json"] = listing
        data = self.sign(snapshot, "snapshot")
        self.write(state, f"{self.version}.snapshot.json", data)
        timestamp = Metadata(Timestamp(version=self.version, expires=EXPIRES))
        timestamp.signed.snapshot_meta = MetaFile(self.version)
        self.write(state, "timestamp.json", self.sign(timestamp, "timestamp"))
        data = self.root.to_bytes(self.serializer)
        self.write(state, f"{self.version}.root.json", data)
        if self.version == 1:
            (self.folder / "root.json").write_bytes(data)
        # The first that lists a path is the one that is right.
        expected = {}
        for texts in contents.values():
            expected = texts | expected
        (state / "expect.json").write_text(json.dumps(expected))

    def put(self, state, role, path, data):
        file = TargetFile.from_data(path, data, ["sha512", "sha256"])
        role.targets[path] = file
        folder, _, name = f"targets/{path}".rpartition("/")
        (state / folder).mkdir(parents=True, exist_ok=True)
        for digest in file.hashes.values():
            (state / folder / f"{digest}.{name}").write_bytes(data)

    def sign(self, metadata, role):
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        return metadata.to_bytes(self.serializer)

    def write(self, state, name, data):
        (state / "metadata" / name).write_bytes(data)


def main():
    out = Path(sys.argv[1])
    kinds = {kind: [kind] for kind in MAKERS} | {"mixed": list(MAKERS)}
    for name, kinds in kinds.items():
        repository = Repository(out / name, kinds, compact=name != "ecdsa")
        for state in ["first", "second"]:
            repository.publish(
                {
                    "targets": {"top.json": f"{state} at the top"},
                    "bin": {"hashed/file.json": f"{state} by digest"},
                    "docs": {"docs/one.json": f"{state}: é", "docs/x/two.json": ""},
                    "below-docs": {
                        "docs/deep.json": f"{state}, two roles down",
                        "docs/one.json": "never this one: its delegator comes first",
                    },
                    "other-bins": {"hashed/file.json": "never this one: no digest leads here"},
                }
                if state == "first"
                else {
                    "targets": {"top.json": f"{state} at the top"},
                    "bin": {"hashed/file.json": f"{state} by digest"},
                    "docs": {"docs/three.json": state},
                    "below-docs": {"docs/deep.json": f"{state}, two roles down"},
                    "other-bins": {},
                }
            )


main()
