"""Reads a repository with python-tuf's client.

    update.py URL ROOT FOLDER TARGET...

FOLDER keeps what the client trusts between runs; ROOT is where its trust begins. Prints, as one JSON
object, the SHA-256 of every target and the versions of the metadata it now trusts.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path

from tuf.ngclient import Updater


def main():
    url, root, folder, *targets = sys.argv[1:]
    folder = Path(folder)
    for name in ["metadata", "targets"]:
        (folder / name).mkdir(parents=True, exist_ok=True)
    updater = Updater(
        metadata_dir=str(folder / "metadata"),
        metadata_base_url=f"{url}/metadata/",
        target_dir=str(folder / "targets"),
        target_base_url=f"{url}/targets/",
        bootstrap=Path(root).read_bytes(),
    )
    updater.refresh()
    found = {}
    for path in targets:
        info = updater.get_targetinfo(path)
        if info is None:
            found[path] = None
            continue
        file = updater.download_target(info)
        found[path] = sha256(Path(file).read_bytes()).hexdigest()
    versions = {}
    for file in (folder / "metadata").glob("*.json"):
        versions[file.stem] = json.loads(file.read_bytes())["signed"]["version"]
    print(json.dumps({"targets": found, "versions": versions}))


main()
