"""RFC 6962 trees over SHA-256: roots, inclusion and consistency proofs."""

from hashing import sha256
from refusal import need

MOST_INCLUSION = 63
MOST_CONSISTENCY = 127


def leaf_hash(data):
    return sha256(b"\0" + data)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


def _largest_below(size):
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def root_of_hashes(hashes):
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = _largest_below(len(hashes))
    return node_hash(root_of_hashes(hashes[:split]), root_of_hashes(hashes[split:]))


def root(leaves):
    return root_of_hashes([leaf_hash(one) for one in leaves])


def _inclusion_root(hashed, index, size, proof):
    """Consumes the proof from its end, from the root down, as RFC 6962 section 2.1.1 builds it."""
    if size == 1:
        need(not proof, "proof-length", "hashes left over")
        return hashed
    need(proof, "proof-length", "too few hashes")
    split = _largest_below(size)
    if index < split:
        return node_hash(_inclusion_root(hashed, index, split, proof[:-1]), proof[-1])
    return node_hash(proof[-1], _inclusion_root(hashed, index - split, size - split, proof[:-1]))


def check_inclusion(data, index, size, proof, expected):
    need(index < size, "index-out-of-tree", f"{index} of {size}")
    need(len(proof) <= MOST_INCLUSION, "proof-length", "more hashes than any tree needs")
    need(_inclusion_root(leaf_hash(data), index, size, proof) == expected, "proof-root")


def _consistency_roots(old, size, proof, old_root, whole):
    """Old and new root of a subtree of `size` leaves of which the first `old` are in the old tree."""
    if old == size:
        if whole:
            need(not proof, "proof-length", "hashes left over")
            return old_root, old_root
        need(len(proof) == 1, "proof-length", "one hash wanted here")
        return proof[0], proof[0]
    need(proof, "proof-length", "too few hashes")
    split = _largest_below(size)
    if old <= split:
        left_old, left_new = _consistency_roots(old, split, proof[:-1], old_root, whole)
        return left_old, node_hash(left_new, proof[-1])
    right_old, right_new = _consistency_roots(old - split, size - split, proof[:-1], old_root, False)
    return node_hash(proof[-1], right_old), node_hash(proof[-1], right_new)


def check_consistency(old, old_root, new, new_root, proof):
    need(0 < old <= new, "proof-sizes", f"{old} to {new}")
    need(len(proof) <= MOST_CONSISTENCY, "proof-length", "more hashes than any tree needs")
    if old == new:
        need(not proof, "proof-length", "hashes where none are needed")
        need(old_root == new_root, "proof-root")
        return
    found_old, found_new = _consistency_roots(old, new, proof, old_root, True)
    need(found_old == old_root and found_new == new_root, "proof-root")
