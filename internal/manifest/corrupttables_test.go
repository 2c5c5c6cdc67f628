package manifest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mindtrace/registry/internal/manifest"
)

// Damage to files and placement, with digests and sums that agree with it:
// what an attacker, or another program's bug, can write. It must be found in
// a register and in a table alike.

type damagedTree struct {
	why    string
	damage func(r register)
	says   string
}

// damagedTrees are made of packsVector: see there for what lies where.
func damagedTrees(t *testing.T) []damagedTree {
	const script, labels, link, none, logs, weights = 0, 2, 3, 4, 5, 6
	set := func(file int, member string, v any) func(register) {
		return func(r register) {
			if r.file(file)[member] = v; v == nil {
				delete(r.file(file), member)
			}
			r.reseal(t)
		}
	}
	split := func(r register) register { return r.at("placement")["split"].([]any)[0].(map[string]any) }
	extents := func(change func(e []any) []any) func(register) {
		return func(r register) { r.at("placement")["extents"] = change(r.at("placement")["extents"].([]any)) }
	}
	pack := func(i int, member string, v any) func(register) {
		return func(r register) { r.at("placement")["packs"].([]any)[i].(map[string]any)[member] = v }
	}
	const unclean = "not clean, relative and inside the object"
	return []damagedTree{
		// The content against its digest and sums.
		{"content changed", func(r register) { r.file(script)["exec"] = false }, "the content has the digest sha256:"},
		{"digest of another", func(r register) { r["digest"] = strings.Repeat("0", 63) + "1" }, "not sha256:0000"},
		{"size wrong", func(r register) { r["size"] = 5543281 }, "7 files of 5543280 bytes, not 7 of 5543281"},
		{"count wrong", func(r register) { r["count"] = 8 }, "7 files of 5543280 bytes, not 8 of"},

		// Paths.
		{"path leads out", set(script, "path", "../x"), unclean},
		{"path absolute", set(script, "path", "/abs"), unclean},
		{"path not clean", set(script, "path", "a//b"), unclean},
		{"path with dots", set(script, "path", "a/../b"), unclean},
		{"path of the whole", set(script, "path", "."), unclean},
		{"path empty", set(script, "path", ""), unclean},
		{"path that ends in a slash", set(script, "path", "a/"), unclean},
		{"path with a zero byte", set(script, "path", "a\x00"), "zero byte"},
		{"path too long", set(script, "path", strings.Repeat("a", 4097)), "the limit is 4096"},
		{"unsorted", set(script, "path", "zz"), `path "data-labels" comes after "zz"`},
		{"path twice", set(labels, "path", "data-labels"), `path "data-labels" occurs twice`},
		{"file below file", set(labels, "path", "data-labels/x"), `"data-labels/x" lies below "data-labels"`},
		{"file below link", set(none, "path", "data/latest/x"), `"data/latest/x" lies below "data/latest"`},
		{"file below listed directory", set(weights, "path", "logs/x"), `"logs/x" lies below "logs"`},

		// Kinds.
		{"link and directory", set(link, "dir", true), "of two kinds"},
		{"link that is executable", set(link, "exec", true), "of two kinds"},
		{"link with bytes", set(link, "size", 1), "of two kinds"},
		{"link with a digest", set(link, "sha256", strings.Repeat("1", 64)), "of two kinds"},
		{"directory that is executable", set(logs, "exec", true), "of two kinds"},
		{"directory with bytes", set(logs, "size", 1), "of two kinds"},
		{"file without a digest", set(none, "sha256", nil), "has no digest"},
		{"negative size", set(none, "size", -1), "negative size"},

		// Links.
		{"link leads out", set(link, "link", "../../x"), "leads out of the object"},
		{"link absolute", set(link, "link", "/etc/passwd"), "leads out of the object"},
		{"link to a drive", set(link, "link", "C:/Windows"), "leads out of the object"},
		{"link by a backslash", set(link, "link", `..\..\x`), "backslash"},
		{"link that turns", set(link, "link", "a/../../b"), "goes up in the middle"},
		{"link at the top leads out", func(r register) {
			delete(r.file(logs), "dir")
			set(logs, "link", "../x")(r)
		}, "leads out of the object"},

		// Chunks of files.
		{"chunks too short", func(r register) { split(r)["sizes"].([]any)[2] = 299_999 }, `chunks of "weights.bin" have 5542879 bytes, the file 5542880`},
		{"chunk of no bytes", func(r register) { split(r)["sizes"].([]any)[2] = 0 }, `chunk of "weights.bin" has size 0`},
		{"chunk of negative size", func(r register) { split(r)["sizes"].([]any)[2] = -1 }, `chunk of "weights.bin" has size -1`},
		{"chunk too large", func(r register) { split(r)["sizes"].([]any)[0] = manifest.MaxChunk + 1 }, `chunk of "weights.bin" has size 4194305`},
		{"digest of a chunk missing", func(r register) { split(r)["sha256"] = split(r)["sha256"].([]any)[:2] }, "3 sizes, 2 digests"},
		{"size of a chunk missing", func(r register) { split(r)["sizes"] = split(r)["sizes"].([]any)[:2] }, "2 sizes, 3 digests"},
		{"split into one", func(r register) {
			split(r)["sizes"], split(r)["sha256"] = split(r)["sizes"].([]any)[:1], split(r)["sha256"].([]any)[:1]
		}, "1 sizes, 1 digests"},
		{"chunks of another file", func(r register) { split(r)["file"] = labels }, `chunks of "data/labels" have 5542880 bytes, the file 100`},
		{"chunks of a link", func(r register) { split(r)["file"] = link }, `chunks of "data/latest" have`},
		{"chunks of no file", func(r register) { split(r)["file"] = 7 }, `"weights.bin" has 5542880 bytes and no chunks`},
		{"chunks of one file too many", func(r register) {
			p := r.at("placement")
			p["split"] = append(p["split"].([]any), map[string]any{"file": 7, "sizes": []any{1, 1}, "sha256": []any{strings.Repeat("1", 64), strings.Repeat("1", 64)}})
		}, "chunks of file 7, out of order or beyond the 7"},
		{"chunks of a file twice", func(r register) { r.at("placement")["split"] = []any{split(r), split(r)} }, "chunks of file 6, out of order"},
		{"chunks of a negative file", func(r register) { split(r)["file"] = -1 }, `"weights.bin" has 5542880 bytes and no chunks`},
		{"no chunks", func(r register) { delete(r.at("placement"), "split") }, `"weights.bin" has 5542880 bytes and no chunks`},

		// Places of chunks: [0 0 2] [0 200 3] [1 5000000 1].
		{"no places", func(r register) { delete(r.at("placement"), "extents") }, "more chunks than places"},
		{"one place too few", extents(func(e []any) []any { return e[:2] }), "more chunks than places"},
		{"one place too many", extents(func(e []any) []any { return append(e, []any{0, 0, 1}) }), "more places than chunks"},
		{"places beyond the last chunk", extents(func(e []any) []any { e[2] = []any{1, 5_000_000, 2}; return e }), "more places than chunks"},
		{"places for no chunks", extents(func(e []any) []any { e[0] = []any{0, 0, 0}; return e }), "bad extent [0 0 0]"},
		{"places for fewer than no chunks", extents(func(e []any) []any { e[0] = []any{0, 0, -1}; return e }), "bad extent [0 0 -1]"},
		{"in no pack", extents(func(e []any) []any { e[0] = []any{2, 0, 2}; return e }), "bad extent [2 0 2]"},
		{"in a negative pack", extents(func(e []any) []any { e[0] = []any{-1, 0, 2}; return e }), "bad extent [-1 0 2]"},
		{"before the pack", extents(func(e []any) []any { e[0] = []any{0, -1, 2}; return e }), "bad extent [0 -1 2]"},
		{"past the end of the pack", extents(func(e []any) []any { e[2] = []any{1, manifest.MaxPack - 299_999, 1}; return e }), "past the end of pack sha256:"},
		{"far past the end", extents(func(e []any) []any { e[2] = []any{1, int64(1<<63 - 1), 1}; return e }), "past the end of pack sha256:"},
		{"two numbers for a place", extents(func(e []any) []any { e[0] = []any{0, 0}; return e }), "/placement/extents/0"},
		{"four numbers for a place", extents(func(e []any) []any { e[0] = []any{0, 0, 2, 0}; return e }), "/placement/extents/0"},

		// Packs.
		{"pack too large", pack(0, "size", manifest.MaxPack+1), "has size 16777217"},
		{"pack of no bytes", pack(0, "size", 0), "has size 0"},
		{"pack of negative size", pack(0, "size", -1), "has size -1"},
		{"pack cut off", pack(0, "size", 5243179), "past the end of pack sha256:"},
		{"era that no key can hold", pack(0, "era", int64(1e10)), "era 10000000000"},
		{"no packs", func(r register) { delete(r.at("placement"), "packs") }, "chunks without packs"},
		{"inline and in packs", func(r register) { r.at("placement")["inline"] = "AA==" }, "both inline and in packs"},
	}
}

func TestDamagedTrees(t *testing.T) {
	v := packsVector().Version
	for _, c := range damagedTrees(t) {
		r := parseRegister(t, encoded(t, packsVector()))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), "team-a:vision:net", v)
		wantCorrupt(t, c.why, err, c.says)
	}
}

// The same damage, in a table that has its digest.
func TestDamagedTables(t *testing.T) {
	v := packsVector().Version
	for _, c := range append(damagedTrees(t), damagedTree{
		"unknown member", func(r register) { r.at("placement")["color"] = "red" }, "color",
	}) {
		r := parseRegister(t, encoded(t, packsVector()))
		c.damage(r)
		table := register{"files": r.at("content")["files"], "placement": r["placement"]}.bytes(t)
		delete(r.at("content"), "files")
		delete(r, "placement")
		r["table"] = map[string]any{
			"file": map[string]any{"path": "table.json", "size": len(table), "sha256": manifest.Sum(table).Hex()},
			"placement": map[string]any{
				"packs":   []any{map[string]any{"era": 1, "id": manifest.Sum(nil).Hex(), "size": len(table)}},
				"extents": []any{[]any{0, 0, 1}},
			},
		}
		m, err := manifest.Decode(r.bytes(t), "team-a:vision:net", v)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		wantCorrupt(t, c.why+" in a table", m.ReadTable(bytes.NewReader(table)), c.says)
		if len(m.Content.Files) > 0 || len(m.Placement.Packs) > 0 {
			t.Errorf("%s: a table that was refused has left files behind", c.why)
		}
	}
}

func TestDamagedInlinePlacement(t *testing.T) {
	for _, c := range []damagedTree{
		{"bytes missing", func(r register) { r.at("placement")["inline"] = "e31oZWxsbw==" }, "7 bytes inline, the files have 8"},
		{"a byte too many", func(r register) { r.at("placement")["inline"] = "e31oZWxsbwoK" }, "9 bytes inline, the files have 8"},
		{"chunks without packs", func(r register) { r.at("placement")["extents"] = []any{[]any{0, 0, 1}} }, "chunks without packs"},
		// Sizes that overflow would claim bytes that are not there.
		{"sizes overflow to nothing", func(r register) {
			var files []any
			for _, p := range []string{"a", "b", "c", "d"} {
				files = append(files, map[string]any{"path": p, "size": int64(1 << 62), "sha256": manifest.Sum(nil).Hex()})
			}
			r.at("content")["files"] = files
			delete(r, "placement")
			r.reseal(t)
		}, "add up to more than 2⁶³-1"},
	} {
		r := parseRegister(t, encoded(t, plainVector()))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), "my:Model", manifest.Version{Major: 1})
		wantCorrupt(t, c.why, err, c.says)
	}
}

// Damage to what a register says of its table.
func TestDamagedReferenceToTable(t *testing.T) {
	for _, c := range []damagedTree{
		{"files beside it", func(r register) {
			r.at("content")["files"] = []any{map[string]any{"path": "a", "sha256": manifest.Sum(nil).Hex()}}
		}, "both a table and files"},
		{"no files beside it", func(r register) { r.at("content")["files"] = []any{} }, "both a table and files"},
		{"bytes beside it", func(r register) { r["placement"] = map[string]any{"inline": "AA=="} }, "both a table and files"},
		{"packs beside it", func(r register) { r["placement"] = r.at("table")["placement"] }, "both a table and files"},
		{"empty", func(r register) { r["table"] = map[string]any{} }, `not a plain file called "table.json"`},
		{"another file", func(r register) { r.at("table", "file")["path"] = "x" }, `not a plain file called "table.json"`},
		{"executable", func(r register) { r.at("table", "file")["exec"] = true }, `not a plain file called "table.json"`},
		{"no digest", func(r register) { delete(r.at("table", "file"), "sha256") }, "no bytes, or no place"},
		{"no bytes", func(r register) {
			delete(r.at("table", "file"), "size")
			delete(r.at("table", "placement"), "extents")
		}, "no bytes, or no place"},
		{"negative size", func(r register) {
			r.at("table", "file")["size"] = -1
			delete(r.at("table", "placement"), "extents")
		}, "no bytes, or no place"},
		{"inline", func(r register) { r.at("table", "placement")["inline"] = "AA==" }, "table is inline"},
		{"no place", func(r register) { delete(r.at("table", "placement"), "extents") }, "more chunks than places"},
		{"in no pack", func(r register) { delete(r.at("table", "placement"), "packs") }, "bad extent"},
		{"past the end", func(r register) { r.at("table", "placement")["extents"] = []any{[]any{0, 1, 1}} }, "past the end of pack"},
		{"pack too large", func(r register) {
			r.at("table", "placement")["packs"].([]any)[0].(map[string]any)["size"] = manifest.MaxPack + 1
		}, "has size 16777217"},
		{"huge", func(r register) { r.at("table", "file")["size"] = int64(1 << 62) }, "has 4611686018427387904 bytes and no chunks"},
		{"unknown member", func(r register) { r.at("table")["color"] = "red" }, "color"},
	} {
		m, _ := tableVector(t)
		r := parseRegister(t, encoded(t, m))
		c.damage(r)
		_, err := manifest.Decode(r.bytes(t), m.Name, m.Version)
		wantCorrupt(t, c.why, err, c.says)
	}
}

// A table is the one that the register means, or none.
func TestTableHasItsDigest(t *testing.T) {
	m, table := tableVector(t)
	body := encoded(t, m)
	for why, other := range map[string][]byte{
		"empty": nil, "truncated": table[:len(table)-1], "longer": append(bytes.Clone(table), '\n'), "a bit flipped": flipped(table, 500),
	} {
		got, err := manifest.Decode(body, m.Name, m.Version)
		if err != nil {
			t.Fatal(err)
		}
		wantCorrupt(t, why, got.ReadTable(bytes.NewReader(other)), "does not have its digest")
		if err := got.ReadTable(bytes.NewReader(table)); err != nil {
			t.Errorf("the right one after a wrong one: %v", err)
		}
	}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}
