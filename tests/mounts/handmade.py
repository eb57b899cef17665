"""Makes an image of all that an image can have, and damaged ones, for which no mkfs is needed.

  handmade     nodes, links, chunks in 20 blobs (`b01` ... `b20`), attributes, extended inodes
  damaged-...  the same, but for the fields that DAMAGE names
"""

import struct

BLOCK = 4096
SLOT = 512  # each inode has so much, with its attributes and its tail
BLOBS = 20
DEVICES, META, XATTRS, DATA = 1, 2, 5, 6  # what begins at which block
PLAIN, COMPRESSED, INLINE, CHUNKS = 0, 1, 2, 4
HOLE = 0xFFFFFFFF

SUPER = "magic checksum compat blkszbits extslots root inos time nsec blocks meta xattrs".split()
COMPACT = "format xattrs mode nlink size - data ino uid gid".split()
EXTENDED = "format xattrs mode - size data ino uid gid mtime nsec nlink".split()


class Writer:
    """The image's bytes, and where each field is: "inode.mode"."""

    def __init__(self):
        self.data = bytearray((DATA + 8) * BLOCK)
        self.fields = {}
        self.inodes = []  # (name, DT_*, nid)

    def put(self, at, layout, values, names, owner):
        for code, value, name in zip(layout.split(), values, names):
            self.fields[f"{owner}.{name}"] = at, "<" + code
            struct.pack_into("<" + code, self.data, at, value)
            at += struct.calcsize(code)
        return at

    def inode(self, name, mode, layout=PLAIN, size=0, data=0, *, xattrs=b"", tail=b"",
              extended=None):
        """`extended`: (uid, gid, mtime, nsec, nlink)."""
        number = len(self.inodes)
        at = META * BLOCK + number * SLOT
        kind = {1: 5, 2: 3, 4: 2, 6: 4, 8: 1, 10: 7, 12: 6}[mode >> 12]
        self.inodes.append((name, kind, number * SLOT // 32))
        count = len(xattrs) // 4 - 2 if xattrs else 0
        if extended:
            uid, gid, mtime, nsec, nlink = extended
            at = self.put(at, "H H H H Q I I I I Q I I",
                          (layout << 1 | 1, count, mode, 0, size, data, number, uid, gid, mtime,
                           nsec, nlink), EXTENDED, name) + 16
        else:
            at = self.put(at, "H H H H I I I I H H",
                          (layout << 1, count, mode, 1, size, 0, data, number, 7, 8), COMPACT,
                          name) + 4
        self.fields[name + ".behind"] = at, "<I"
        self.fields[name + ".shared"] = at + 4, "<B"
        self.fields[name + ".name-length"] = at + 12, "<B"  # of the first of its own
        self.fields[name + ".value-length"] = at + 14, "<H"
        self.fields[name + ".name"] = at + 16, "<B"
        self.fields[name + ".second-shared"] = at + 18, "<H"  # half of it
        self.data[at:at + len(xattrs)] = xattrs
        at += len(xattrs)
        if layout == CHUNKS:
            at = (at + 7) // 8 * 8
        self.fields[name + ".tail"] = at, "<I"
        self.fields[name + ".device"] = at + 2, "<H"
        self.fields[name + ".address"] = at + 4, "<I"
        self.data[at:at + len(tail)] = tail

    def block(self, number, content):
        self.data[number * BLOCK:number * BLOCK + len(content)] = content

    def damaged(self, changes):
        data = bytearray(self.data)
        for field, value in changes.items():
            at, code = self.fields[field]
            if isinstance(value, bytes):
                data[at:at + len(value)] = value
            else:
                struct.pack_into(code, data, at, value)
        return bytes(data)


def attribute(index, name, value):
    entry = struct.pack("<BBH", len(name), index, len(value)) + name + value
    return entry + bytes(-len(entry) % 4)


def directory(image, entries):
    """Block of (name, kind, nid), each with fields such as "root.fifo.nameoff"."""
    names = struct.calcsize("<QHBB") * len(entries)
    text = b""
    for number, (name, kind, nid) in enumerate(sorted(entries)):
        image.put(DATA * BLOCK + number * 12, "Q H B B", (nid, names + len(text), kind, 0),
                  ("nid", "nameoff", "type", "reserved"), f"root.{name}")
        image.fields[f"root.{name}.name"] = DATA * BLOCK + names + len(text), "<B"
        text += name.encode()
    image.block(DATA, bytes(image.data[DATA * BLOCK:DATA * BLOCK + names]) + text)
    at, code = image.fields["root.size"]
    struct.pack_into(code, image.data, at, names + len(text))


def chunk(address, device=0):
    return struct.pack("<HHI", 0, device, address)


def handmade():
    image = Writer()
    image.put(1024, "I I I B B H Q Q I I I I",
              (0xE0F5E1E2, 0, 0, 12, 0, 0, 20, 1000000000, 5, DATA + 8, META, XATTRS), SUPER,
              "super")
    image.put(1024 + 64, "16s", (b"handmade",), ("volume",), "super")
    image.put(1024 + 80, "I H H H B", (0xC, 0, BLOBS, DEVICES * BLOCK // 128, 0),
              ("incompat", "algorithms", "devices", "table", "dirblkbits"), "super")
    for number in range(BLOBS):
        image.put(DEVICES * BLOCK + number * 128, "64s I I", (b"b%02d" % (number + 1), 1, 0),
                  ("tag", "blocks", "mapped"), f"slot{number + 1}")
    own = attribute(1, b"own", b"value") + attribute(6, b"label", b"secret\0")
    image.block(XATTRS, attribute(1, b"shared", b"with others") + attribute(4, b"hid", b"den"))
    shared = struct.pack("<I2B6xII", 0, 2, 0, 0, 6)  # two of them, at 0 and 24 bytes
    image.inode("root", 0o40755, PLAIN, 0, DATA)
    image.inode("block", 0o60640, data=(70000 & 0xFF) | 259 << 8 | (70000 & ~0xFF) << 12)
    image.inode("char", 0o20666, data=0x103)
    image.inode("chunks", 0o100644, CHUNKS, BLOBS * BLOCK - 100, 0x20,
                tail=b"".join(chunk(0, number + 1) for number in range(BLOBS)))
    image.inode("fifo", 0o10600)
    image.inode("huge", 0o100644, CHUNKS, (5 << 40) + 1, 0x20 | 31,
                extended=(0, 0, 1, 0, 1), tail=chunk(HOLE))
    image.inode("inline", 0o100644, INLINE, 5, xattrs=shared + own, tail=b"tail\n")
    image.inode("link", 0o120777, INLINE, 6, tail=b"target")
    image.inode("long", 0o120777, PLAIN, 3000, DATA + 1)
    image.inode("map", 0o100644, CHUNKS, 2 * BLOCK, 0,
                tail=struct.pack("<II", DATA + 3, HOLE))
    image.inode("old", 0o104755, INLINE, 3, tail=b"old",
                xattrs=struct.pack("<I2B6x", 0, 0, 0) + own,
                extended=(3000000000, 4000000000, 1 << 33, 999999999, 70000))
    image.inode("plain", 0o100644, PLAIN, 2 * BLOCK, DATA + 2)
    image.inode("socket", 0o140700)
    image.block(DATA + 1, b"t" * 3000)
    image.block(DATA + 2, bytes(range(256)) * 16 + b"second" * 600)
    root = image.inodes[0][2]
    directory(image, [(".", 2, root), ("..", 2, root)] + image.inodes[1:])
    return image


# What is not as it should be. Most have their own check in a kernel, or none.
DAMAGE = {
    "magic": {"super.magic": 1},
    "checksum": {"super.compat": 1, "super.checksum": 0x12345678},
    "checksum-small-blocks": {"super.compat": 1, "super.checksum": 0x12345678,
                              "super.blkszbits": 10},
    "blocks-8": {"super.blkszbits": 8},
    "blocks-11": {"super.blkszbits": 11},
    "blocks-13": {"super.blkszbits": 13},
    "directory-blocks": {"super.dirblkbits": 1},
    "feature": {"super.incompat": 0x8000000C},
    "extslots": {"super.extslots": 200},
    "volume-name": {"super.volume": b"0123456789abcdef"},
    "algorithms": {"super.incompat": 0xE, "super.algorithms": 0x8000},
    "devices-none": {"super.devices": 0},
    "devices-behind-end": {"super.table": 60000},
    "device-tag": {"slot3.tag": b"\0\0\0"},
    "root-file": {"super.root": 16 * 11},
    "root-free": {"super.root": 16 * 20},
    "root-behind-end": {"super.root": 65535},
    "meta-behind-end": {"super.meta": 0xFFFFFFF0},
    "format": {"inline.format": 0x14},
    "layout": {"inline.format": 7 << 1},
    "compressed-node": {"char.format": COMPRESSED << 1},
    "mode": {"inline.mode": 0o170644},
    "mode-none": {"inline.mode": 0o644},
    "mode-and-size": {"huge.mode": 0o30644, "huge.size": 1 << 63},
    "size-negative": {"huge.size": (1 << 64) - 1},
    "size-negative-link": {"huge.size": (1 << 64) - 1, "huge.mode": 0o120777,
                           "huge.format": INLINE << 1 | 1},
    "chunk-format": {"chunks.data": 0x60},
    "chunk-format-node": {"char.format": CHUNKS << 1, "char.data": 0xFF01},
    "chunk-format-high": {"chunks.data": 0x10020},
    "chunk-device": {"chunks.device": 25},
    "chunk-device-masked": {"chunks.device": 0xFFE0 | 2},
    "chunk-address": {"chunks.address": 0x1000},
    "chunk-address-last": {"chunks.address": 0xFFFFFFFE},
    "data-behind-end": {"plain.data": 1000},
    "inline-across": {"inline.size": 4000},
    "inline-full-block": {"inline.size": BLOCK},
    "link-nul": {"link.tail": b"ta\0get"},
    "link-across": {"link.size": 4000},
    "link-too-long": {"long.size": 5000},
    "link-empty": {"link.size": 0},
    "link-chunks": {"long.format": CHUNKS << 1, "long.data": 0x20},
    "names-0": {"root...nameoff": 0},
    "names-odd": {"root...nameoff": 13},
    "names-behind": {"root...nameoff": 5000},
    "name-back": {"root.fifo.nameoff": 1},
    "name-behind": {"root.map.nameoff": 4095},
    "name-far": {"root.map.nameoff": 60000},
    "name-slash": {"root.map.name": b"m/p"},
    "name-nul": {"root.map.name": b"m\0p"},
    "name-order": {"root.char.name": b"zzzz"},
    "name-last": {"root.socket.nameoff": 4000},
    "nid-free": {"root.map.nid": 16 * 20},
    "nid-behind": {"root.map.nid": 1 << 30},
    "nid-wraps": {"root.map.nid": (1 << 39) + 16 * 11},
    "nid-wraps-inline": {"root.map.nid": (1 << 39) + 16 * 6},
    "nid-largest": {"root.map.nid": (1 << 64) - 1},
    "nid-of-directory": {"root.map.nid": 0},
    "root-empty": {"root.size": 0},
    "root-link": {"root.mode": 0o120755},
    "type-unknown": {"root.map.type": 99},
    "xattr-header-only": {"inline.xattrs": 1},
    "xattr-shared-far": {"inline.second-shared": 60000},
    "xattr-value-length": {"old.value-length": 60000},
    "xattr-name-length": {"old.name-length": 255},
    "xattr-shared-many": {"inline.shared": 255},
    "xattr-name": {"old.name": 255},
    "xattr-cut": {"old.xattrs": 3},
}


def make(blobs):
    image = handmade()
    (blobs / "handmade").write_bytes(image.data)
    for name, changes in DAMAGE.items():
        (blobs / f"damaged-{name}").write_bytes(image.damaged(changes))
    for number in range(1, BLOBS + 1):
        (blobs / f"b{number:02}").write_bytes(bytes([number]) * BLOCK)
