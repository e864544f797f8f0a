// make_log writes a throw-away log for the judges' self-test, with Go's own tree code and with key material that is
// made anew on each run: DIR/log (C2SP tlog-tiles), DIR/log.vkey, DIR/old (an older checkpoint), DIR/fork (a checkpoint
// of the same size and another root), DIR/leaf (hex of leaf INDEX), DIR/proof.
//
//	make_log DIR SIZE OLD INDEX
package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		hashes[i] = m[index]
	}
	return hashes, nil
}

func main() {
	dir := os.Args[1]
	size, old, index := number(2), number(3), number(4)
	secret, vkey, err := note.GenerateKey(rand.Reader, "judges.example/selftest/0")
	check(err)
	signer, err := note.NewSigner(secret)
	check(err)
	checkpoint := func(n int64, root tlog.Hash) []byte {
		text := fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), n, root)
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		check(err)
		return signed
	}

	var stored memory
	leaves := make([][32]byte, size)
	for i := int64(0); i < size; i++ {
		leaves[i] = sha256.Sum256([]byte(strconv.FormatInt(i, 10)))
		more, err := tlog.StoredHashes(i, leaves[i][:], stored)
		check(err)
		stored = append(stored, more...)
		if i+1 == old {
			root, err := tlog.TreeHash(old, stored)
			check(err)
			write(filepath.Join(dir, "old"), checkpoint(old, root))
		}
	}
	root, err := tlog.TreeHash(size, stored)
	check(err)
	signed := checkpoint(size, root)
	write(filepath.Join(dir, "log", "checkpoint"), signed)
	write(filepath.Join(dir, "log.vkey"), []byte(vkey+"\n"))
	write(filepath.Join(dir, "fork"), checkpoint(old, tlog.RecordHash([]byte("fork"))))
	write(filepath.Join(dir, "leaf"), []byte(hex.EncodeToString(leaves[index][:])))

	for _, tile := range tlog.NewTiles(8, 0, size) {
		data, err := tlog.ReadTileData(tile, stored)
		check(err)
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		write(filepath.Join(dir, "log", path), data)
		if tile.L != 0 {
			continue
		}
		var bundle []byte
		for i := 0; i < tile.W; i++ {
			leaf := leaves[tile.N<<8+int64(i)]
			bundle = append(append(bundle, 0, 32), leaf[:]...)
		}
		write(filepath.Join(dir, "log", strings.Replace(path, "tile/0/", "tile/entries/", 1)), bundle)
	}

	path, err := tlog.ProveRecord(size, index, stored)
	check(err)
	proof := fmt.Sprintf("c2sp.org/tlog-proof@v1\nindex %d\n", index)
	for _, hash := range path {
		proof += base64.StdEncoding.EncodeToString(hash[:]) + "\n"
	}
	write(filepath.Join(dir, "proof"), []byte(proof+"\n"+string(signed)))
}

func number(at int) int64 {
	n, err := strconv.ParseInt(os.Args[at], 10, 64)
	check(err)
	return n
}

func write(path string, data []byte) {
	check(os.MkdirAll(filepath.Dir(path), 0o755))
	check(os.WriteFile(path, data, 0o644))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
