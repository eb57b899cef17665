"""Makes the images that real and modelled mounts read: the same bytes wherever they are made.

  plain    files from 1 byte to 2 MiB, a directory of 300, links; without inline tails
  inline   the same with tails behind inodes
  chunked  the same in chunks of 64 KiB in the blob `data`; `again` is a copy
  blobs    as chunked, but every other chunk is in the blob `more`
  punched  as chunked, but with real holes
"""

import hashlib
import os
import pathlib
import struct
import subprocess

BLOCK = 4096
CHUNK = 65536
LARGE = 2 * 1024 * 1024 + 1234
FILES = (b"large", b"holes", b"gaps")
HOLES = {b"holes": range(2, 6), b"gaps": range(0, 16, 2)}
OPTIONS = ["--quiet", "-T1000000000", "-Uc01d4ead-0000-4000-8000-000000000000", "--all-root"]


def noise(size, seed):
    """Bytes that do not repeat, so that no two chunks are the same."""
    return hashlib.shake_128(b"coldread %d" % seed).digest(size)


def make_tree(tree):
    (tree / "small").mkdir(parents=True)
    for number in range(300):
        (tree / "small" / f"file-{number:03}").write_bytes(noise(1 + number * 37, number))
    (tree / "large").write_bytes(noise(LARGE, 1000))
    with open(tree / "holes", "wb") as file:
        file.write(noise(2 * CHUNK, 1001))
        file.seek(6 * CHUNK)
        file.write(noise(CHUNK + 100, 1002))
    with open(tree / "gaps", "wb") as file:
        for number in range(8):
            file.seek((2 * number + 1) * CHUNK)
            file.write(noise(CHUNK, 1003 + number))
    os.symlink("small/file-299", tree / "link")
    os.link(tree / "small/file-200", tree / "same")


def inode(image, nid):
    """Offset behind it, layout, mode, size, chunk format or block: as mkfs.erofs has it."""
    (meta,) = struct.unpack_from("<I", image, 1024 + 40)
    at = meta * BLOCK + nid * 32
    layout, xattrs, mode = struct.unpack_from("<HHH", image, at)
    extended = layout & 1
    size, where = struct.unpack_from("<QI" if extended else "<I4xI", image, at + 8)
    after = at + (64 if extended else 32) + (12 + (xattrs - 1) * 4 if xattrs else 0)
    return after, layout >> 1 & 7, mode, size, where


def contents(image, nid):
    """Of a directory: whole blocks, then a tail that may be behind the inode."""
    after, layout, _, size, where = inode(image, nid)
    whole = size - size % BLOCK if layout == 2 else size
    return image[where * BLOCK:where * BLOCK + whole] + image[after:after + size - whole]


def entries(image, nid):
    """Name -> nid, of a directory."""
    result = {}
    data = contents(image, nid)
    for start in range(0, len(data), BLOCK):
        block = data[start:start + BLOCK]
        count = struct.unpack_from("<H", block, 8)[0] // 12
        found = [struct.unpack_from("<QHBB", block, number * 12) for number in range(count)]
        ends = [entry[1] for entry in found[1:]] + [len(block)]
        result |= {bytes(block[entry[1]:end]).rstrip(b"\0"): entry[0]
                   for entry, end in zip(found, ends)}
    return result


def root_of(image):
    return struct.unpack_from("<H", image, 1024 + 14)[0]


def inodes(image):
    """All of them, once each."""
    found, left = set(), [root_of(image)]
    while left:
        nid = left.pop()
        if nid in found:
            continue
        found.add(nid)
        if inode(image, nid)[2] & 0o170000 == 0o040000:
            left += entries(image, nid).values()
    return sorted(found)


def chunks_of(image, nid):
    """(number, offset of its index) of the chunks of a regular file; none of others."""
    after, layout, mode, size, chunk_format = inode(image, nid)
    if mode & 0o170000 != 0o100000 or layout != 4:
        return []
    assert chunk_format & 0x20, "chunk indexes"
    chunk_bits = 12 + (chunk_format & 0x1F)
    count = (size + (1 << chunk_bits) - 1) >> chunk_bits
    return [(number, (after + 7) // 8 * 8 + number * 8) for number in range(count)]


def chunks(image):
    """(file's name, number, offset of its index) of all chunks of the large files."""
    for name, nid in entries(image, root_of(image)).items():
        if name in FILES:
            for number, at in chunks_of(image, nid):
                yield name, number, at


def without_checksum(image):
    image = bytearray(image)
    struct.pack_into("<I", image, 1024 + 8, struct.unpack_from("<I", image, 1024 + 8)[0] & ~1)
    return image


def with_devices(image, count):
    """The device table, which has one, with so many; it moves behind the rest."""
    slot = struct.unpack_from("<H", image, 1024 + 88)[0] * 128
    table = bytes(image[slot:slot + 128]) * count
    struct.pack_into("<HH", image, 1024 + 86, count, len(image) // 128)
    return bytes(image) + table.ljust(-(-len(table) // BLOCK) * BLOCK, b"\0")


def spread(image):
    """Moves every other chunk of large files to a second device, which has the same layout."""
    image = without_checksum(image)
    for _, number, at in chunks(image):
        if number % 2:
            struct.pack_into("<H", image, at + 2, 2)
    return with_devices(image, 2)


def cut(image, blocks):
    """All data, which is in one device, in as many as it takes, of so many blocks each."""
    image = without_checksum(image)
    last = 1
    for nid in inodes(image):
        for _, at in chunks_of(image, nid):
            address = struct.unpack_from("<I", image, at + 4)[0]
            if address != 0xFFFFFFFF:
                device = address // blocks + 1
                struct.pack_into("<HHI", image, at, 0, device, address % blocks)
                last = max(last, device)
    return with_devices(image, last)


def cut_files(image, data, count, chunk):
    """An image's file and its data's, which is cut into blob1, blob2, ... beside it."""
    blocks = -(-data.stat().st_size // BLOCK // count)
    image.write_bytes(cut(image.read_bytes(), blocks))
    with open(data, "rb") as file:
        for number in range(count):
            # The last chunk may go on behind the cut.
            file.seek(number * blocks * BLOCK)
            (data.parent / f"blob{number + 1}").write_bytes(file.read(blocks * BLOCK + chunk))
    data.unlink()


def punched(image):
    """Makes holes of the chunks that are zeros, which mkfs.erofs stores."""
    image = without_checksum(image)
    for name, number, at in chunks(image):
        if number in HOLES.get(name, ()):
            struct.pack_into("<HHI", image, at, 0, 0, 0xFFFFFFFF)
    return bytes(image)


def make(directory):
    """Fills the directory; the digest of all of it tells whether two are the same."""
    directory = pathlib.Path(directory)
    tree = directory / "tree"
    make_tree(tree)
    blobs = directory / "blobs"
    blobs.mkdir()

    def mkfs(name, *options):
        command = ["mkfs.erofs", *OPTIONS, *options, str(blobs / name), str(tree)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    mkfs("plain", "-Enoinline_data")
    mkfs("inline")
    mkfs("chunked", "-Eforce-chunk-indexes", f"--chunksize={CHUNK}", f"--blobdev={blobs / 'data'}")
    (blobs / "again").write_bytes((blobs / "chunked").read_bytes())
    (blobs / "blobs").write_bytes(spread((blobs / "chunked").read_bytes()))
    (blobs / "punched").write_bytes(punched((blobs / "chunked").read_bytes()))
    (blobs / "more").write_bytes((blobs / "data").read_bytes())
    digest = hashlib.sha256()
    for path in sorted(blobs.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return blobs, digest.hexdigest()[:16]
