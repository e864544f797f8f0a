// log_judge checks a transparency log with code that is not ours: the signed note and the tree come from Go's
// golang.org/x/mod (sumdb/note, sumdb/tlog), which serve Go's own checksum database.
//
// Build with Debian's golang-go and golang-golang-x-mod-dev, without a network:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o log_judge log_judge.go
//
// Usage:
//
//	log_judge -log DIR|URL -vkey FILE [-ca FILE] [-old CHECKPOINT]... [-leaf HEX -index N] [-proof FILE -leaf HEX]
//	          [-leaves FILE]
//
// A file of leaves has lines "HEX INDEX PROOF_FILE": each leaf must be in this log at that index, and its proof must
// hold.
//
// The log is laid out as C2SP tlog-tiles: checkpoint, tile/<L>/<N>[.p/<W>], tile/entries/<N>[.p/<W>]. One line is
// printed for each check. Exit code 0: all hold; 1: one fails, with the reason; 64: usage.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8
const full = 1 << height

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func main() {
	base := flag.String("log", "", "folder or address of the log")
	vkey := flag.String("vkey", "", "file with the log's verifier key")
	ca := flag.String("ca", "", "PEM file with the certificate that the server's must chain to")
	leaf := flag.String("leaf", "", "the 32 bytes of a leaf, in hex")
	index := flag.Int64("index", -1, "the index of that leaf")
	proof := flag.String("proof", "", "a C2SP tlog-proof for that leaf")
	leaves := flag.String("leaves", "", "a file with lines of leaf, index and proof")
	var olds list
	flag.Var(&olds, "old", "an older checkpoint that this log must extend")
	flag.Parse()
	if *base == "" || *vkey == "" || flag.NArg() > 0 || (*leaf == "") != (*index < 0 && *proof == "") {
		flag.Usage()
		os.Exit(64)
	}

	key, err := os.ReadFile(*vkey)
	must("verifier key", err)
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	must("verifier key", err)
	source := newSource(*base, *ca)

	signed, err := source.get("checkpoint")
	must("checkpoint", err)
	tree, err := open(signed, verifier)
	must("checkpoint", err)
	say("checkpoint: signed by %s, size %d, root %s", verifier.Name(), tree.N, tree.Hash)

	tiles := &tileReader{source: source}
	hashes := tlog.TileHashReader(tree, tiles)
	if tree.N == 0 {
		if want := tlog.Hash(sha256.Sum256(nil)); tree.Hash != want {
			fail("root", "the root of an empty tree is %s", want)
		}
	} else {
		root, err := tlog.TreeHash(tree.N, hashes)
		must("root from tiles", err)
		if root != tree.Hash {
			fail("root from tiles", "the tiles give %s", root)
		}
	}
	say("root from tiles: the same")
	entries(source, tree, hashes)

	if *index >= 0 {
		included(decode(*leaf), *index, tree, hashes)
		say("inclusion: leaf %s… is number %d", (*leaf)[:8], *index)
	}
	if *proof != "" {
		file, err := os.ReadFile(*proof)
		must("proof", err)
		at, size, err := checkProof(string(file), decode(*leaf), verifier)
		must("proof", err)
		say("proof: leaf %s… is number %d in a tree of %d", (*leaf)[:8], at, size)
	}
	if *leaves != "" {
		listed(*leaves, tree, hashes, verifier)
	}
	for _, name := range olds {
		file, err := os.ReadFile(name)
		must("older checkpoint", err)
		old, err := open(file, verifier)
		must("older checkpoint "+name, err)
		consistent(old, tree, hashes)
	}
}

// open checks the note's signature and reads the tree from its text.
func open(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return tlog.Tree{}, fmt.Errorf("the text has fewer than three lines")
	}
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("the origin is %q, the key's name is %q", lines[0], verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || lines[1] != strconv.FormatInt(size, 10) {
		return tlog.Tree{}, fmt.Errorf("%q is no size", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("%q is no root: %v", lines[2], err)
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// included proves from the tiles that a leaf has an index in the tree.
func included(leaf []byte, index int64, tree tlog.Tree, hashes tlog.HashReader) {
	if index < 0 || index >= tree.N {
		fail("inclusion", "index %d is outside a tree of %d", index, tree.N)
	}
	path, err := tlog.ProveRecord(tree.N, index, hashes)
	must("inclusion", err)
	must("inclusion", tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(leaf)))
}

// listed checks every line of a file of leaves, by the tiles and by the proof; a file without any is refused.
func listed(name string, tree tlog.Tree, hashes tlog.HashReader, verifier note.Verifier) {
	list, err := os.ReadFile(name)
	must("leaves", err)
	count := 0
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n") {
		words := strings.SplitN(line, " ", 3)
		if len(words) != 3 {
			fail("leaves", "%q is not leaf, index and proof", line)
		}
		leaf := decode(words[0])
		index, err := strconv.ParseInt(words[1], 10, 64)
		must("leaves", err)
		included(leaf, index, tree, hashes)
		file, err := os.ReadFile(words[2])
		must("leaves", err)
		at, _, err := checkProof(string(file), leaf, verifier)
		must("proof "+words[2], err)
		if at != index {
			fail("proof "+words[2], "it names index %d, the list %d", at, index)
		}
		count++
	}
	say("leaves: %d are in the log where their proofs say, and the proofs hold", count)
}

// entries reads every entry bundle, derives the tree from the entries alone, and compares.
func entries(source source, tree tlog.Tree, hashes tlog.HashReader) {
	var stored memory
	for n := int64(0); n*full < tree.N; n++ {
		width := tree.N - n*full
		if width > full {
			width = full
		}
		data, err := source.tile("entries", n, int(width))
		must("entries", err)
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, n*full+int64(i))
		}
		published, err := hashes.ReadHashes(indexes)
		must("entries", err)
		for i := int64(0); i < width; i++ {
			if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
				fail("entries", "bundle %d ends in entry %d", n, i)
			}
			length := int(binary.BigEndian.Uint16(data))
			if length != 32 {
				fail("entries", "entry %d has %d bytes instead of 32", n*full+i, length)
			}
			leaf := tlog.RecordHash(data[2 : 2+length])
			data = data[2+length:]
			if published[i] != leaf {
				fail("entries", "entry %d is not the one in its tile", n*full+i)
			}
			more, err := tlog.StoredHashesForRecordHash(n*full+i, leaf, &stored)
			must("entries", err)
			stored = append(stored, more...)
		}
		if len(data) > 0 && width == full {
			fail("entries", "bundle %d has %d bytes too many", n, len(data))
		}
	}
	if tree.N > 0 {
		root, err := tlog.TreeHash(tree.N, &stored)
		must("entries", err)
		if root != tree.Hash {
			fail("entries", "they give the root %s", root)
		}
	}
	say("entries: %d, and they give the same root", tree.N)
}

func consistent(old, tree tlog.Tree, hashes tlog.HashReader) {
	if old.N > tree.N {
		fail("consistency", "the older checkpoint has size %d, the newer %d", old.N, tree.N)
	}
	if old.N == 0 {
		say("consistency: everything extends an empty tree")
		return
	}
	path, err := tlog.ProveTree(tree.N, old.N, hashes)
	must("consistency", err)
	must("consistency", tlog.CheckTree(path, tree.N, tree.Hash, old.N, old.Hash))
	say("consistency: %d extends %d", tree.N, old.N)
}

// checkProof checks a C2SP tlog-proof: a header, the index, the hashes, an empty line, a checkpoint.
func checkProof(text string, leaf []byte, verifier note.Verifier) (int64, int64, error) {
	head, signed, ok := strings.Cut(text, "\n\n")
	if !ok {
		return 0, 0, fmt.Errorf("there is no empty line before the checkpoint")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, 0, fmt.Errorf("the first line is %q", lines[0])
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return 0, 0, fmt.Errorf("there is no index line")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return 0, 0, err
	}
	var path tlog.RecordProof
	for _, line := range lines[1:] {
		data, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(data) != tlog.HashSize {
			return 0, 0, fmt.Errorf("%q is no hash", line)
		}
		var hash tlog.Hash
		copy(hash[:], data)
		path = append(path, hash)
	}
	tree, err := open([]byte(signed), verifier)
	if err != nil {
		return 0, 0, err
	}
	if index < 0 || index >= tree.N {
		return 0, 0, fmt.Errorf("index %d is outside a tree of %d", index, tree.N)
	}
	return index, tree.N, tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(leaf))
}

// memory holds stored hashes by their index.
type memory []tlog.Hash

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(*m)) {
			return nil, fmt.Errorf("hash %d is not there yet", index)
		}
		hashes[i] = (*m)[index]
	}
	return hashes, nil
}

// tileReader gives Go's tree code the tiles, which C2SP names without the height.
type tileReader struct {
	source source
	cache  map[tlog.Tile][]byte
}

func (r *tileReader) Height() int                             { return height }
func (r *tileReader) SaveTiles(tiles []tlog.Tile, _ [][]byte) {}

func (r *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	if r.cache == nil {
		r.cache = make(map[tlog.Tile][]byte)
	}
	all := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, ok := r.cache[tile]
		if !ok {
			var err error
			data, err = r.source.tile(strconv.Itoa(tile.L), tile.N, tile.W)
			if err != nil {
				return nil, err
			}
			if len(data) > tile.W*tlog.HashSize {
				data = data[:tile.W*tlog.HashSize]
			}
			r.cache[tile] = data
		}
		all[i] = data
	}
	return all, nil
}

// source is where the log's files come from.
type source struct {
	base   string
	client *http.Client
}

func newSource(base, ca string) source {
	if !strings.Contains(base, "://") {
		return source{base: base}
	}
	transport := &http.Transport{}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		must("certificate", err)
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			fail("certificate", "%s holds none", ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return source{base: strings.TrimSuffix(base, "/"), client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// tile gets a tile or an entry bundle of a width. A full one may stand in for a partial one, as C2SP allows.
func (s source) tile(level string, n int64, width int) ([]byte, error) {
	number := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		number = fmt.Sprintf("x%03d/%s", n%1000, number)
	}
	path := "tile/" + level + "/" + number
	if width == full {
		return s.get(path)
	}
	data, err := s.get(fmt.Sprintf("%s.p/%d", path, width))
	if err != nil {
		if whole, second := s.get(path); second == nil {
			return whole, nil
		}
	}
	return data, err
}

func (s source) get(path string) ([]byte, error) {
	if s.client == nil {
		return os.ReadFile(filepath.Join(s.base, filepath.FromSlash(path)))
	}
	response, err := s.client.Get(s.base + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, 1<<24))
}

func decode(leaf string) []byte {
	data, err := hex.DecodeString(leaf)
	if err != nil || len(data) != 32 {
		fail("leaf", "%q is not 32 bytes in hex", leaf)
	}
	return data
}

func say(format string, arguments ...interface{}) {
	fmt.Printf("ok   "+format+"\n", arguments...)
}

func fail(check, format string, arguments ...interface{}) {
	fmt.Printf("FAIL %s: %s\n", check, fmt.Sprintf(format, arguments...))
	os.Exit(1)
}

func must(check string, err error) {
	if err != nil {
		fail(check, "%v", err)
	}
}
