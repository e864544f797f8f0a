"""C2SP tlog-tiles: the files that publish a log."""

from merkle import leaf_hash, root_of_hashes

WIDTH = 256


def path(level, index, width):
    digits = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        digits = f"x{index % 1000:03}/{digits}"
    return f"tile/{level}/{digits}" + (f".p/{width}" if width < WIDTH else "")


def files(leaves):
    """Path: bytes, of every tile and entry bundle; a hash of a level is that over 256 of the level below."""
    found, level, hashes = {}, 0, [leaf_hash(one) for one in leaves]
    while hashes:
        for index in range(0, len(hashes), WIDTH):
            part = hashes[index:index + WIDTH]
            found[path(level, index // WIDTH, len(part))] = b"".join(part)
            if level == 0:
                entries = leaves[index:index + WIDTH]
                raw = b"".join(len(one).to_bytes(2, "big") + one for one in entries)
                found[path("entries", index // WIDTH, len(part))] = raw
        whole = len(hashes) // WIDTH * WIDTH
        hashes = [root_of_hashes(hashes[at:at + WIDTH]) for at in range(0, whole, WIDTH)]
        level += 1
    return found
