import io
import tarfile
from dataclasses import dataclass, field

# Folders of old that Debian has merged into /usr.
MERGED = ("bin", "sbin", "lib", "lib32", "lib64")
UID = 65532  # the unprivileged user that the images know by name
PASSWD = f"""\
root:x:0:0:root:/root:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/sh
alo:x:{UID}:{UID}:alo:/home/alo:/bin/sh
"""
GROUP = f"root:x:0:\nnogroup:x:65534:\nalo:x:{UID}:\n"


@dataclass
class Tree:
    """The files of an image: path without leading slash -> (tar entry, content)."""

    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), mode
        self.entries[path] = (entry, content)

    def folder(self, path: str, *, mode: int = 0o755, uid: int = 0) -> None:
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, uid, uid
        self.entries[path] = (entry, b"")

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        entry = tarfile.TarInfo(path)
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
        self.entries[path] = (entry, b"")

    def add_tar(self, content: bytes, *, without: tuple[str, ...] = ()) -> None:
        """Add what a tar archive holds but for paths that begin with one of `without`.

        Entries of merged folders land below usr/. A folder never replaces what is there.
        """
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for entry in archive:
                path = entry.name.removeprefix("./").strip("/")
                if path.split("/")[0] in MERGED:
                    path = f"usr/{path}"
                if path in {"", "."} or path.startswith(without) or (entry.isdir() and path in self.entries):
                    continue
                if entry.islnk():  # a hard link names its target as a path of the archive
                    entry.linkname = entry.linkname.removeprefix("./")
                reader = archive.extractfile(entry) if entry.isreg() else None
                self.entries[path] = (entry, reader.read() if reader else b"")

    def as_tar(self) -> bytes:
        """Return the archive: sorted, without times and names of this machine."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in sorted(self.entries):
                entry, content = self.entries[path]
                entry.name, entry.mtime, entry.uname, entry.gname = path, 0, "", ""
                archive.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()


def base_tree() -> Tree:
    """Return the folders and users that every image has in which something is to run."""
    tree = Tree()
    for path in ("etc", "usr", "usr/bin", "usr/lib", "var", "dev", "proc", "sys"):
        tree.folder(path)
    for name in MERGED:
        tree.folder(f"usr/{name}")
        tree.link(name, f"usr/{name}")
    tree.folder("root", mode=0o700)
    tree.folder("home/alo", uid=UID)
    tree.folder("tmp", mode=0o1777)
    tree.file("etc/passwd", PASSWD.encode())
    tree.file("etc/group", GROUP.encode())
    return tree
