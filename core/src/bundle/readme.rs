//! The bundle's page for a stranger: commands of tools that he already trusts. The judges in `tests/` run them as printed.

use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::suite::Suite;

use super::contents::Contents;

/// The text of `README.md` in a bundle.
pub(super) fn text(contents: &Contents, checkpoint: &Checkpoint) -> String {
    let heads: String = contents
        .chains
        .iter()
        .filter_map(|c| head_command(contents, c))
        .collect();
    TEMPLATE
        .replace("{case}", &contents.case.to_string())
        .replace("{origin}", &checkpoint.origin)
        .replace("{size}", &checkpoint.size.to_string())
        .replace("{operations}", &contents.operations.len().to_string())
        .replace("{heads}", &heads)
}

fn head_command(contents: &Contents, chain: &super::Chain) -> Option<String> {
    let key = contents
        .keys
        .operation_key(&chain.device, &chain.incarnation)?
        .record
        .key()
        .ok()?;
    let stem = format!("data/heads/{}.{}", chain.device, chain.incarnation);
    Some(match key.suite() {
        Suite::Ed25519 => {
            format!("openssl pkeyutl -verify -pubin -inkey {stem}.pub.pem -rawin -in {stem}.pae -sigfile {stem}.sig\n")
        }
        Suite::P256 => format!("openssl dgst -sha256 -verify {stem}.pub.pem -signature {stem}.sig {stem}.pae\n"),
    })
}

const TEMPLATE: &str = r#"# 听证证据包 / Hearing bundle

案卷 / case `{case}` · 日志 / log `{origin}`, {size} 项 / entries · 操作 / operations: {operations}

本页的命令用您自己的工具核对，不需要我们的软件。信任文件夹（变量 `TRUST`）必须从本包之外取得。
Check this bundle with your own tools; our software is not needed. The trust folder (variable `TRUST`) must come from outside this bundle.

## 1. 文件是否完整 / Are the files whole

```sh
sha256sum --quiet -c manifest-sha256.txt
sha256sum --quiet -c tagmanifest-sha256.txt
```

## 2. 谁制作了本包 / Who made this bundle

```sh
ssh-keygen -Y verify -f "$TRUST/allowed_signers" -I '{origin}' -n fieldseal.bundle -s tagmanifest-sha256.txt.sig < tagmanifest-sha256.txt
```

## 3. 证据与固化时的哈希值 / Evidence and its hash at sealing

每个文件以其 SHA-256 命名；同一哈希值在固化它的操作中签名。
Each file is named by its SHA-256; the same hash stands in the signed operation that sealed it.

```sh
for f in data/evidence/* data/documents/*; do
  [ -e "$f" ] || continue
  name=$(basename "$f"); test "$(openssl dgst -sha256 -r "$f" | cut -c1-64)" = "${name%%.*}"
done
```

## 4. 每台设备的签名 / Each device's signature

最后一项操作的签名；之前各项由其中的链值固定（`data/chains/`）。
The signature on the last operation; the earlier ones are fixed by the link in it (`data/chains/`).

```sh
{heads}```

## 5. 日志的签名 / The log's signature

```sh
work=$(mktemp -d)
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; cut -d+ -f3- "$TRUST/log.vkey" | base64 -d | tail -c 32; } > "$work/log.der"
sed '/^$/,$d' data/checkpoint > "$work/text"
grep '^— {origin} ' data/checkpoint | head -n 1 | cut -d' ' -f3 | base64 -d | tail -c 64 > "$work/sig"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/log.der" -rawin -in "$work/text" -sigfile "$work/sig"
rm -r "$work"
```

## 6. 各项是否列入日志 / Is each operation in the log (Python, standard library)

```python
import base64, glob, hashlib, os
def H(tag, *items):
    m = hashlib.sha256()
    for x in (tag.encode(), *items): m.update(len(x).to_bytes(8, 'big') + x)
    return m.digest()
def byte_string(b, i):                       # one CBOR byte string at i
    n = b[i] & 31; i += 1
    if n > 23: k = 1 << (n - 24); n = int.from_bytes(b[i:i+k], 'big'); i += k
    return b[i:i+n], i + n
text = open('data/checkpoint', encoding='utf-8').read().split('\n')
size, root = int(text[1]), base64.b64decode(text[2])
for path in sorted(glob.glob('data/operations/*.cbor')):
    frame = open(path, 'rb').read()
    header, i = byte_string(frame, 2); signature, _ = byte_string(frame, i + 1)
    leaf = H('fieldseal/v0/commitment', header, signature)
    name = os.path.basename(path)[:-5]
    lines = open(f'data/proofs/{name}.tlog-proof', encoding='utf-8').read().split('\n\n')[0].split('\n')
    index, hashes = int(lines[1][6:]), [base64.b64decode(l) for l in lines[2:]]
    node = hashlib.sha256(b'\0' + leaf).digest(); fn, sn = index, size - 1
    for p in hashes:
        if fn & 1 or fn == sn:
            node = hashlib.sha256(b'\1' + p + node).digest()
            while not fn & 1 and fn: fn >>= 1; sn >>= 1
        else: node = hashlib.sha256(b'\1' + node + p).digest()
        fn >>= 1; sn >>= 1
    assert name == H('fieldseal/v0/op', header).hex() and sn == 0 and node == root, path
print('all operations are in the log')
```

## 不证明什么 / What this does not prove

画面真实、未经摆拍；列入日志之前未被更改；拍摄的确切时刻；位置准确；当时是谁在用该密钥；取证程序合法；违法事实成立。
That the scene is true or unstaged; that nothing was altered before sealing; the exact moment; that the position is right; who held the key at that moment; that collection was lawful; that the violation is made out.

由本包可推知：这些平板在两项操作之间另作了多少项操作，以及何时同步；其他案卷的内容无从得知。
From this bundle one can infer how many other operations the tablets made between these and when they were synced; nothing about their contents.
"#;
