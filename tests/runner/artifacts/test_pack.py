"""A folder becomes a tar and a folder again; what is refused on the way in and on the way out."""

import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from waypost_node.artifacts import rules
from waypost_node.artifacts.entries import LARGEST_FILE, Entry, TooLargeFolder, Unfit
from waypost_node.artifacts.pack import Packing
from waypost_node.artifacts.rules import Rules
from waypost_node.artifacts.unpack import unpack

from tests.runner.artifacts.tars import compressed, content_of, tar_of, unpacked, written_by

MOST = 10_000_000


def _tree(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = "folder"
        else:
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o111))
    return found


def _sample(folder: Path) -> Path:
    (folder / "src" / "deep" / ("n" * 120)).mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "src" / "main.py").write_text("print(1)\n")
    (folder / "src" / "deep" / "größe").write_bytes(os.urandom(700_000))
    (folder / "src" / "deep" / ("n" * 120) / "file").write_text("far down")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "src" / "link").symlink_to("../run.sh")
    (folder / "src" / "far").symlink_to(f"deep/{'n' * 120}/file")
    (folder / "here").symlink_to(".")
    (folder / "nothing").symlink_to("src/absent/")
    (folder / "src.txt").write_text("sorted by parts, not by text")
    return folder


def _packed(folder: Path) -> tuple[bytes, object]:
    packing = Packing(str(folder), max_bytes=MOST)
    content = packing.measure()
    return b"".join(packing.compressed(content)), content


def test_s297_a_folder_comes_back_as_it_was(tmp_path: Path) -> None:
    source, target = _sample(tmp_path / "a"), tmp_path / "b"
    target.mkdir()
    body, content = _packed(source)
    unpack([body[:7], body[7:]], str(target), expected=content)  # type: ignore[arg-type]
    assert _tree(target) == _tree(source)
    assert _packed(target)[1] == content


def test_times_owners_and_other_permissions_do_not_count(tmp_path: Path) -> None:
    source = _sample(tmp_path / "a")
    _, before = _packed(source)
    os.utime(source / "run.sh", (1, 1))
    (source / "src" / "main.py").chmod(0o600)
    (source / "run.sh").chmod(0o4711)
    assert _packed(source)[1] == before


def test_other_tar_programs_read_it(tmp_path: Path) -> None:
    source = _sample(tmp_path / "a")
    body, _ = _packed(source)
    (tmp_path / "a.tar.gz").write_bytes(body)
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        tar.extractall(tmp_path / "b", filter="data")
    assert _tree(tmp_path / "b") == _tree(source)


def test_an_empty_folder_is_an_artifact(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    body, content = _packed(tmp_path / "a")
    unpack([body], str(tmp_path / "b"), expected=content)  # type: ignore[arg-type]
    assert content == content_of(bytes(1024), files=0)
    assert _tree(tmp_path / "b") == {}


def _hard_link(folder: Path) -> None:
    (folder / "one").write_text("text")
    os.link(folder / "one", folder / "two")


def test_a_file_with_two_names_is_two_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    _hard_link(tmp_path / "a")
    body, content = _packed(tmp_path / "a")
    unpack([body], str(tmp_path / "b"), expected=content)  # type: ignore[arg-type]
    assert _tree(tmp_path / "b") == {"one": (b"text", False), "two": (b"text", False)}
    assert (tmp_path / "b" / "one").stat().st_nlink == 1


def test_a_folder_that_changes_while_it_is_packed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    packing = Packing(str(tmp_path), max_bytes=MOST)
    content = packing.measure()
    (tmp_path / "file").write_text("after!")
    with pytest.raises(Unfit, match="changed while it was packed"):
        list(packing.compressed(content))


def test_a_folder_above_max_bytes_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(10_000))
    with pytest.raises(TooLargeFolder, match=r"more than 5000 bytes.*raise maxBytes"):
        Packing(str(tmp_path), max_bytes=5000).measure()


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(folder)
        try:
            made.bind("socket")
        finally:
            os.chdir(before)


def _named(name: bytes) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("x")

    return make


def _both(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).write_text("x")

    return make


def _deep(folder: Path) -> None:
    for _ in range(rules.DEEPEST + 1):
        folder = folder / "d"
    folder.mkdir(parents=True)


def _long_path(folder: Path) -> None:
    for _ in range(5):
        folder = folder / ("d" * 250)
    folder.mkdir(parents=True)


FOLDERS = {
    "link to an absolute path": (lambda f: (f / "l").symlink_to("/etc/passwd"), "absolute path"),
    "link out": (lambda f: (f / "l").symlink_to("../secret"), "outside of the artifact"),
    "link with .. after a name": (lambda f: (f / "l").symlink_to("a/../b"), "`..`"),
    "named pipe": (lambda f: os.mkfifo(f / "p"), "a named pipe is not allowed"),
    "socket": (_socket, "a socket is not allowed"),
    "name that is not UTF-8": (_named(b"\xff\xfe"), "not UTF-8"),
    "name with a line break": (_named(b"a\nb"), "control character"),
    "names that differ by case": (_both("README", "readme"), "only by case"),
    "names that differ by Unicode": (_both("é", "e\u0301"), "only by case or by the form"),
    "too deep": (_deep, "folders deep"),
    "long path": (_long_path, "a path of"),
}


@pytest.mark.parametrize(("make", "problem"), FOLDERS.values(), ids=FOLDERS)
def test_s297_folders_that_cannot_be_packed(
    tmp_path: Path, make: Callable[[Path], None], problem: str
) -> None:
    make(tmp_path)
    with pytest.raises(Unfit, match=problem):
        Packing(str(tmp_path), max_bytes=MOST).measure()


def test_more_files_than_allowed_are_refused_on_both_sides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(6):
        (tmp_path / f"{at}").write_text("x")
    monkeypatch.setattr("waypost_node.artifacts.pack.Rules", lambda: Rules(most=5))
    with pytest.raises(Unfit, match="more than 5 files"):
        Packing(str(tmp_path), max_bytes=MOST).measure()
    (tmp_path / "b").mkdir()
    many = tar_of(*(Entry((b"%d" % at,), "file") for at in range(6)))
    with pytest.raises(Unfit, match="more than 5 files"):
        unpacked(many, tmp_path / "b", files=5)


def _member(name: str, kind: bytes = tarfile.REGTYPE, *, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    made.mode = {tarfile.DIRTYPE: 0o755, tarfile.SYMTYPE: 0o777}.get(kind, 0o644)
    return made


def _file(*parts: bytes, size: int = 0) -> Entry:
    return Entry(parts, "file", size)


def _link(name: bytes, target: bytes) -> Entry:
    return Entry((name,), "link", target=target)


def _with(member: tarfile.TarInfo, **changes: object) -> tarfile.TarInfo:
    for name, value in changes.items():
        setattr(member, name, value)
    return member


FOLDER = Entry((b"d",), "folder")
TARS = {
    "absolute name": (tar_of(_file(b"", b"etc", b"passwd")), "absolute or empty"),
    "empty name": (tar_of(_file(b"")), "absolute or empty"),
    "..": (tar_of(_file(b"..", b"up")), "`..`"),
    ".. in a folder": (tar_of(FOLDER, _file(b"d", b"..", b"up")), "`..`"),
    ".": (tar_of(_file(b".")), "`.`"),
    "empty part": (tar_of(FOLDER, _file(b"d", b"", b"x")), "empty part"),
    "link to an absolute path": (tar_of(_link(b"l", b"/etc/passwd")), "absolute path"),
    "link out": (tar_of(_link(b"l", b"../x")), "outside of the artifact"),
    "link out by another link": (
        tar_of(_link(b"a", b"."), _link(b"b", b"a/../../x")),
        "`..`",
    ),
    "link without a target": (tar_of(_link(b"l", b"")), "absolute path"),
    "file below a link": (
        tar_of(_link(b"d", b"."), _file(b"d", b"x")),
        "the folder that it is in is not an entry",
    ),
    "file below a file": (
        tar_of(_file(b"d"), _file(b"d", b"x")),
        "the folder that it is in is not an entry",
    ),
    "file in no folder": (tar_of(_file(b"d", b"x")), "is not an entry before it"),
    "duplicate": (tar_of(_file(b"x"), _file(b"x")), "two entries of this name"),
    "file that replaces a link": (
        tar_of(_link(b"x", b"y"), _file(b"x")),
        "two entries of this name",
    ),
    "not sorted": (tar_of(_file(b"y"), _file(b"x")), "not sorted"),
    "case": (tar_of(_file(b"A"), _file(b"a")), "only by case"),
    "Unicode": (tar_of(_file("e\u0301".encode()), _file("é".encode())), "the form of Unicode"),
    "folded": (tar_of(_file(b"STRASSE"), _file("straße".encode())), "only by case"),
    "not UTF-8": (tar_of(_file(b"\xff")), "not UTF-8"),
    "control character": (tar_of(_file(b"a\x1b")), "control character"),
    "long name": (tar_of(_file(b"n" * 256)), "a name of 256 bytes"),
    "long path": (tar_of(_file(*[b"n" * 250] * 5)), "a path of"),
    "deep path": (tar_of(_file(*[b"d"] * 65)), "folders deep"),
    "link to a long path": (tar_of(_link(b"l", b"n" * 1100)), "a link to a path of"),
    "hard link": (written_by(_member("a"), _member("b", tarfile.LNKTYPE, target="a")), "a hard"),
    "character device": (written_by(_member("a", tarfile.CHRTYPE)), "a character device"),
    "block device": (written_by(_member("a", tarfile.BLKTYPE)), "a block device"),
    "named pipe": (written_by(_member("a", tarfile.FIFOTYPE)), "a named pipe"),
    "contiguous file": (written_by(_member("a", tarfile.CONTTYPE)), "a contiguous file"),
    "old file": (written_by(_member("a", tarfile.AREGTYPE)), "before ustar"),
    "sparse file": (
        written_by(_member("a", tarfile.GNUTYPE_SPARSE), form=tarfile.GNU_FORMAT),
        "a sparse file",
    ),
    "GNU long name": (written_by(_member("n" * 150), form=tarfile.GNU_FORMAT), "a GNU long name"),
    "setuid": (written_by(_with(_member("a"), mode=0o4755)), "not in the form of an artifact"),
    "owner": (written_by(_with(_member("a"), uid=0, gid=7)), "not in the form of an artifact"),
    "time": (written_by(_with(_member("a"), mtime=1)), "not in the form of an artifact"),
    "user name": (written_by(_with(_member("a"), uname="root")), "not in the form of an artifact"),
    "other pax key": (
        written_by(_with(_member("a"), pax_headers={"comment": "x"}), form=tarfile.PAX_FORMAT),
        "not in the form|cannot be read",
    ),
    "folder with content": (
        written_by(_with(_member("d", tarfile.DIRTYPE), size=0)).replace(
            b"0" * 11 + b"\0" + b"0" * 11 + b"\0", b"0" * 10 + b"7\0" + b"0" * 11 + b"\0", 1
        ),
        "not in the form|content",
    ),
    "incomplete": (tar_of(_file(b"a"))[:-1024], "incomplete"),
    "file that is shorter": (tar_of((_file(b"a", size=9000), b"x"))[:2000], "incomplete"),
    "data after its end": (tar_of(_file(b"a")) + bytes(512), "data after its end"),
    "one block of zeros": (tar_of()[:512] + b"x" * 512, "its end is not"),
    "no tar": (b"x" * 2048, "type b'x'|the number|pax"),
}


@pytest.mark.parametrize(("tar", "problem"), TARS.values(), ids=TARS)
def test_s298_tars_that_are_not_unpacked(tmp_path: Path, tar: bytes, problem: str) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    with pytest.raises(Unfit, match=problem):
        unpacked(tar, inside, files=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_bomb_is_refused_at_the_announced_size(tmp_path: Path) -> None:
    bomb = compressed(bytes(200_000_000))
    assert len(bomb) < 300_000
    content = content_of(tar_of(), files=0)._replace(bytes=100_000)
    with pytest.raises(Unfit, match="more than the 100000 bytes"):
        unpack([bomb], str(tmp_path), expected=content)


def test_another_content_than_pinned_is_refused(tmp_path: Path) -> None:
    tar = tar_of((_file(b"a", size=1), b"x"))
    pinned = content_of(tar_of((_file(b"a", size=1), b"y")), files=1)
    with pytest.raises(Unfit, match="expected the digest"):
        unpack([compressed(tar)], str(tmp_path), expected=pinned)


BODIES = {
    "no gzip": (b"plain text", "it is not gzip"),
    "cut off": (compressed(tar_of())[:-3], "incomplete"),
    "two gzips": (compressed(tar_of()) * 2, "data after its end"),
    "nothing": (b"", "incomplete"),
}


@pytest.mark.parametrize(("body", "problem"), BODIES.values(), ids=BODIES)
def test_bodies_that_are_no_gzip(tmp_path: Path, body: bytes, problem: str) -> None:
    with pytest.raises(Unfit, match=problem):
        unpack([body], str(tmp_path), expected=content_of(tar_of(), files=0))


def test_a_file_may_not_be_larger_than_its_field() -> None:
    with pytest.raises(Unfit, match="the limit of a file"):
        Rules().accept(_file(b"a", size=LARGEST_FILE + 1))
