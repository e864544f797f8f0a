"""Every test vector: what this verifier makes of it, compared with what the vector expects."""

import glob
import json
import os

import body as bodies
import cbor
import handed
import keys
import merkle
import notes
import operations
import receipts
import rolls
import sealed
import tiles
from bundle import Report
from findings import ANCHORED, WITNESSED
from hashing import H, hash_bytes, hex_bytes, pae, sha256, uuid_bytes, uuid_text
from header import Header
from keylog import Entry, KeyLog, Succession
from merge import State
from refusal import Refused, need
from trust import Trust


def _cbor(given):
    return {"notation": cbor.notation(cbor.decode(hex_bytes(given["bytes"])))}


def _hash(given):
    return {"hash": H(given["tag"], *[hex_bytes(one) for one in given["items"]]).hex()}


def _public_key(given):
    suite, public = given["suite"], hex_bytes(given["public"])
    keys.check_public(suite, public)
    return {
        "key_id": keys.key_id(suite, public).hex(),
        "fingerprint": keys.fingerprint(suite, public),
        "pem": keys.pem(suite, public),
    }


def _signature(given):
    inside, kind = hex_bytes(given["body"]), given["payload_type"]
    keys.verify(given["suite"], hex_bytes(given["public"]), kind, inside, hex_bytes(given["signature"]))
    return {"pae": pae(kind, inside).hex()}


def _proquint(given):
    found = operations.read_proquint(given["words"])
    if "link" in given:
        need(found == hash_bytes(given["link"])[:16], "not-words", "of another link")
    return {"bytes": found.hex()}


def _body(given):
    found = bodies.parse(hex_bytes(given["bytes"]))
    if "root" in given:
        need(found.root == hash_bytes(given["root"]), "body-root")
    output = {
        "root": found.root.hex(),
        "fields": [
            {"path": one.path, "value": None if one.value is None else one.value.hex()}
            for one in found.written()
        ],
    }
    if given.get("hashes"):
        output["hashes"] = [
            {"path": one.path, "salt": one.salt.hex(), "v": one.v.hex()} for one in found.fields
        ]
    return output


def _header(given):
    found = Header(hex_bytes(given["bytes"]))
    return {
        "id": found.id.hex(),
        "kind": found.kind,
        "device": uuid_text(found.device),
        "seq": found.seq,
        "prev": found.prev.hex(),
        "scope": "registry" if found.case is None else uuid_text(found.case),
        "stream": uuid_text(found.stream),
        "counter": found.counter,
        "supersedes": [one.hex() for one in found.supersedes],
        "signers": [
            {"role": one} if isinstance(one, str) else {"officer": uuid_text(one)} for one in found.signers
        ],
        "unknown_keys": found.unknown_keys,
    }


def _operation(given):
    found = operations.Operation(hex_bytes(given["frame"]))
    found.check_signature(given["suite"], hex_bytes(given["public"]))
    return {
        "id": found.id.hex(),
        "commitment": found.commitment.hex(),
        "link": found.link.hex(),
        "words": operations.words_of_link(found.link),
    }


def _chain(given):
    tenant, device = uuid_bytes(given["tenant"]), uuid_bytes(given["device"])
    key_of = {uuid_bytes(one["incarnation"]): (one["suite"], hex_bytes(one["public"])) for one in given["keys"]}
    found = [operations.Operation(hex_bytes(one)) for one in given["frames"]]
    links = operations.check_chain(tenant, device, key_of, found)
    return {
        "origin": operations.link_origin(tenant, device).hex(),
        "links": [one.hex() for one in links],
        "words": operations.words_of_link(links[-1]),
    }


def _attest(given):
    operation = operations.Operation(hex_bytes(given["frame"]))
    operation.check_signature(given["suite"], hex_bytes(given["public"]))
    found = operations.Attest(operation)
    found.check(given["officer_suite"], hex_bytes(given["officer_public"]))
    return {
        "statement": found.statement.hex(),
        "officer": uuid_text(found.officer),
        "key_id": found.key_id.hex(),
        "role": found.role,
        "meaning": found.meaning,
        "targets": [one.hex() for one in found.targets],
    }


def _key_log(given):
    found = KeyLog.read(hex_bytes(given["sequence"]))
    return {
        "tenant": uuid_text(found.tenant),
        "size": found.size,
        "head": found.head().hex(),
        "leaf": found.leaf().hex(),
        "keys": [
            {
                "key_id": one.id.hex(),
                "purpose": one.purpose,
                "subject": None if one.entry.subject is None else uuid_text(one.entry.subject),
                "enrolled_at": one.enrolled_at,
                "revoked_at": one.revoked_at,
            }
            for _, one in sorted(found.by_id.items())
        ],
    }


def _roll(given):
    found = rolls.Roll(bodies.parse(hex_bytes(given["body"])))
    return {
        "size": found.size,
        "key_log_size": found.key_log_size,
        "key_log_head": found.key_log_head.hex(),
        "streams": [
            {
                "device": uuid_text(device), "incarnation": uuid_text(incarnation),
                "stream": uuid_text(stream), "counter": counter, "id": last.hex(),
            }
            for (device, incarnation, stream), (counter, last) in found.streams.items()
        ],
    }


def _closing(given):
    found = rolls.Closing(bodies.parse(hex_bytes(given["body"])))
    return {
        "held": [
            {
                "device": uuid_text(device), "incarnation": uuid_text(incarnation),
                "counter": counter, "id": last.hex(),
            }
            for (device, incarnation), (counter, last) in found.held.items()
        ],
    }


def _note(given):
    note = notes.Note(given["note"])
    note.verify(notes.VerifierKey(given["vkey"]))
    return {"text": note.text}


def _verifier_key(given):
    found = notes.VerifierKey(given["vkey"])
    return {
        "name": found.name, "hash": found.hash.hex(),
        "algorithm": found.algorithm, "public": found.public.hex(),
    }


def _checkpoint(given):
    found = notes.open_checkpoint(given["note"], notes.VerifierKey(given["vkey"]))
    return {"origin": found.origin, "size": found.size, "root": found.root.hex()}


def _time_note(given):
    found = notes.TimeNote(given["note"], notes.VerifierKey(given["vkey"]))
    return {
        "origin": found.origin, "unix_ms": found.unix_ms, "size": found.size,
        "root": found.root.hex(), "anchor": found.anchor.hex(),
    }


def _cosignature(given):
    key = notes.VerifierKey(given["vkey"])
    need(key.algorithm == notes.COSIGNED, "vkey-algorithm")
    message, seconds = notes.Note(given["note"]).verify(key)
    return {"unix_seconds": seconds, "message": message}


def _tree(given):
    return {"root": merkle.root([hex_bytes(one) for one in given["leaves"]]).hex()}


def _inclusion(given):
    leaf = hex_bytes(given["leaf"])
    proof = [hash_bytes(one) for one in given["proof"]]
    merkle.check_inclusion(leaf, given["index"], given["size"], proof, hash_bytes(given["root"]))
    return {"leaf_hash": merkle.leaf_hash(leaf).hex()}


def _consistency(given):
    proof = [hash_bytes(one) for one in given["proof"]]
    merkle.check_consistency(
        given["old"], hash_bytes(given["old_root"]), given["new"], hash_bytes(given["new_root"]), proof
    )
    return None


def _tlog_proof(given):
    key = notes.VerifierKey(given["vkey"])
    checkpoint = notes.open_checkpoint(given["checkpoint"], key)
    proof = notes.ProofFile(given["proof"])
    proof.check(hex_bytes(given["leaf"]), checkpoint, key)
    return {"index": proof.index, "size": checkpoint.size, "root": checkpoint.root.hex()}


def _anchor(given):
    found = notes.anchor_of(given["kind"], hex_bytes(given["bytes"]))
    if "anchor" in given:
        need(found == hash_bytes(given["anchor"]), "anchor")
    return {"anchor": found.hex()}


def _batch_receipt(given):
    found = receipts.BatchReceipt(hex_bytes(given["receipt"]), given["suite"], hex_bytes(given["public"]))
    found.check_link(hash_bytes(given["start"]), [hash_bytes(one) for one in given["commitments"]])
    fork = None
    if found.fork is not None:
        fork = {"seq": found.fork[0], "first": found.fork[1].hex()}
    return {
        "device": uuid_text(found.device), "incarnation": uuid_text(found.incarnation),
        "first_seq": found.first, "last_seq": found.last, "link": found.link.hex(),
        "received_ms": found.received_ms, "deadline_ms": found.deadline_ms, "fork": fork,
    }


def _blob_receipt(given):
    found = receipts.BlobReceipt(hex_bytes(given["receipt"]), given["suite"], hex_bytes(given["public"]))
    found.check_blob(hex_bytes(given["blob"]))
    return {"sha256": found.sha256.hex(), "size": found.size, "received_ms": found.received_ms}


def _index_receipt(given):
    found = receipts.IndexReceipt(hex_bytes(given["receipt"]), notes.VerifierKey(given["vkey"]))
    return {
        "runs": found.runs,
        "size": found.checkpoint.size,
        "index_of": [[seq, found.index_of(seq)] for seq in given["ask"]],
    }


def _tiles(given):
    leaves = [sha256(str(number).encode()) for number in range(given["count"])]
    return {"files": {path: sha256(raw).hex() for path, raw in tiles.files(leaves).items()}}


def _tile_path(given):
    return {"path": tiles.path(given["level"], given["index"], given["width"])}


def _merge_state(given):
    found = [operations.Operation(hex_bytes(one)) for one in given["operations"]]
    ingest = {uuid_bytes(one) for one in given["ingest"]}
    return State(uuid_bytes(given["case"]), ingest, found).output()


def _trust(given):
    found = Trust.of_vector(given["trust"])
    return {"root_key_id": found.root_key_id.hex(), "log": found.log.name}


def _succession(given):
    frame = cbor.decode(hex_bytes(given["frame"]))
    need(type(frame) is dict, "field", "frame")
    attributes = cbor.field(frame, 2, "bytes", optional=True)
    found = Succession(given["old"], Entry(cbor.field(frame, 0, "bytes")), attributes)
    return {"new": found.new, "size": found.size, "root": found.root.hex(), "leaf": found.leaf.hex()}


def _dsse(given):
    return handed.dsse(given["json"], given["suite"], hex_bytes(given["public"]))


def _store_escrow(given):
    key, salt = sealed.open_store_escrow(hex_bytes(given["file"]), hex_bytes(given["escrow_secret"]))
    return {"key": key.hex()} | ({"salt": salt.hex()} if salt is not None else {})


def _pack(given):
    found = handed.Pack(hex_bytes(given["file"]), hex_bytes(given["key_log"]))
    return {"hash": found.hash.hex(), "files": found.files}


def _enrolment_text(given):
    return handed.Enrolment(given["text"]).output()


def _rescue(given):
    return {"records": handed.rescue_records(hex_bytes(given["file"]))}


def _vault(given):
    raw, by_vault = hex_bytes(given["file"]), hex_bytes(given["vault_key"])
    plain = sealed.EvidenceFile(raw, vault_key=by_vault).plain
    if "escrow_secret" in given:
        again = sealed.EvidenceFile(raw, escrow_secret=hex_bytes(given["escrow_secret"])).plain
        need(again == plain, "refused", "escrow and vault differ")
    return {"sha256": sha256(plain).hex(), "size": len(plain)}


TYPES = {
    "cbor": _cbor, "hash": _hash, "public-key": _public_key, "signature": _signature,
    "proquint": _proquint, "body": _body, "header": _header, "operation": _operation,
    "chain": _chain, "attest": _attest, "key-log": _key_log, "roll": _roll, "closing": _closing,
    "note": _note, "verifier-key": _verifier_key, "checkpoint": _checkpoint,
    "time-note": _time_note, "cosignature": _cosignature, "tree": _tree, "inclusion": _inclusion,
    "consistency": _consistency, "tlog-proof": _tlog_proof, "anchor": _anchor,
    "batch-receipt": _batch_receipt, "blob-receipt": _blob_receipt,
    "index-receipt": _index_receipt, "trust": _trust,
    "tiles": _tiles, "tile-path": _tile_path, "merge-state": _merge_state,
    "pack": _pack, "enrolment-text": _enrolment_text, "rescue": _rescue, "vault": _vault,
    "succession": _succession, "dsse": _dsse, "store-escrow": _store_escrow,
}


def differences(expected, found, path="output"):
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for key in sorted(set(expected) | set(found))
            for line in differences(expected.get(key, "(absent)"), found.get(key, "(absent)"), f"{path}.{key}")
        ]
    if type(expected) is type(found) and expected == found:
        return []
    return [f"{path}: expected {str(expected)[:300]}, found {str(found)[:300]}"]


def _bundle_files(given, folder):
    files = given.get("files")
    if files is None:
        with open(os.path.join(folder, given["base"]), encoding="utf-8") as file:
            files = dict(json.load(file)["input"]["files"])
        for path, raw in given["changes"].items():
            if raw is None:
                files.pop(path, None)
            else:
                files[path] = raw
    found = {path: hex_bytes(raw) for path, raw in files.items()}
    many = given.get("numbered")
    if many is not None:
        found.update((f"{many['prefix']}{number}", b"") for number in range(many["count"]))
    return found


def _judge_bundle(vector, folder):
    """More codes than the listed ones may be found, of no worse a verdict."""
    given, expected = vector["input"], vector["output"]
    found = Report(_bundle_files(given, folder), Trust.of_vector(given["trust"]), None, given.get("paper")).output()
    wrong = []
    if (vector["expect"] == "valid") != (found["verdict"] in (ANCHORED, WITNESSED)):
        wrong.append(f"expected {vector['expect']}, found {found['verdict']}")
    missing = sorted(set(expected["findings"]) - set(found["findings"]))
    if missing:
        wrong.append(f"not found: {' '.join(missing)}")
    more = sorted(set(found["findings"]) - set(expected["findings"]))
    note = f"also found {' '.join(more)}" if more else None
    for both in (expected, found):
        both["findings"] = sorted(expected["findings"])
    return wrong + differences(expected, found), note


def judge(vector, folder):
    """What is wrong, as lines, and the word of a refusal."""
    if vector["type"] == "bundle":
        return _judge_bundle(vector, folder)
    if vector["type"] not in TYPES:
        return [f"unknown type {vector['type']}"], None
    try:
        found = TYPES[vector["type"]](vector["input"])
    except Refused as refused:
        if vector["expect"] == "invalid":
            return [], refused.reason
        return [f"refused: {refused}"], refused.reason
    if vector["expect"] == "invalid":
        return [f"accepted, although {vector['reason']}"], None
    return differences(vector.get("output"), found), None


def run(folder, show_words=False):
    passed = failed = 0
    for path in sorted(glob.glob(os.path.join(folder, "*", "*", "*.json"))):
        name = os.path.relpath(path, folder)
        with open(path, encoding="utf-8") as file:
            vector = json.load(file)
        try:
            wrong, word = judge(vector, folder)
        except Exception as fault:  # a fault of this verifier is a failed vector, not the end of the run
            wrong, word = [f"fault: {type(fault).__name__}: {fault}"], None
        if wrong:
            failed += 1
            print(f"{name}: {'; '.join(wrong)}")
        else:
            passed += 1
            if show_words and word is not None and word != vector.get("reason"):
                print(f"({name}: {word}; the vector says {vector.get('reason')})")
    # A type that nothing here reads fails; a file that lies where no vector should is one that nobody looked at.
    every = sum(name.endswith(".json") for _, _, names in os.walk(folder) for name in names)
    print(f"{passed} passed, {failed} failed, {every - passed - failed} skipped")
    return failed
