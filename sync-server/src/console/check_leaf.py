import base64, functools, hashlib, ssl, subprocess, sys, tempfile, urllib.request
url, vkey, index, leaf = sys.argv[1], sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4])
tls = ssl._create_unverified_context()  # whoever answers: the signature below is what counts
get = functools.cache(lambda path: urllib.request.urlopen(url + path, context=tls).read())
text, signatures = get("/checkpoint").decode().split("\n\n")
origin, size, root = text.split("\n")[:3]
size, root = int(size), base64.b64decode(root)
assert vkey.startswith(origin + "+"), "another log"
signature = next(s.split(" ")[2] for s in signatures.split("\n") if s.startswith("— " + origin + " "))
der = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(vkey.split("+", 2)[2])[1:]
with tempfile.TemporaryDirectory() as d:
    parts = {"key": der, "text": (text + "\n").encode(), "sig": base64.b64decode(signature)[4:]}
    for name, data in parts.items():
        open(f"{d}/{name}", "wb").write(data)
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", f"{d}/key",
                    "-rawin", "-in", f"{d}/text", "-sigfile", f"{d}/sig"], check=True, stdout=subprocess.DEVNULL)
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()

def stored(level, at):  # the hash over leaves at·256^level and what follows, from a tile
    tile = at // 256
    width = min(256, (size >> 8 * level) - tile * 256)
    name, rest = f"{tile % 1000:03}", tile // 1000
    while rest:
        name, rest = f"x{rest % 1000:03}/{name}", rest // 1000
    data = get(f"/tile/{level}/{name}" + ("" if width == 256 else f".p/{width}"))
    return data[at % 256 * 32:][:32]

def tree(lo, hi, given):  # RFC 6962 over leaves lo…hi-1; with `given`, our leaf stands in its place
    n = hi - lo
    if given and n == 1:
        return sha(b"\0", leaf)
    if not given and n & (n - 1) == 0 and (n.bit_length() - 1) % 8 == 0:
        level = (n.bit_length() - 1) // 8
        return stored(level, lo >> 8 * level)
    k = 1 << (n - 1).bit_length() - 1
    left = given and index < lo + k
    return sha(b"\1", tree(lo, lo + k, left), tree(lo + k, hi, given and not left))

assert 0 <= index < size, "beyond the checkpoint"
assert tree(0, size, True) == root, "NOT in the log"
print(f"leaf {index} is in the log of {size} leaves, root {base64.b64encode(root).decode()}, signed by {origin}")
