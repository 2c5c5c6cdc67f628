package manifest_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/mindtrace/registry/internal/manifest"
)

// Generators of whole manifests. No bytes stand behind their digests: package
// manifest does not look at any.

var genDigest = rapid.Custom(func(t *rapid.T) manifest.Digest {
	return manifest.Sum([]byte(rapid.StringN(0, 8, -1).Draw(t, "digest of")))
})

var genNonce = rapid.Custom(func(t *rapid.T) manifest.Nonce {
	return manifest.Nonce(rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "nonce"))
})

var genTime = rapid.Custom(func(t *rapid.T) time.Time {
	return time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "time")).UTC()
})

// genTree makes the entries of a tree, without sizes. The names are such that
// the order of paths is not that of directories: "a-b" lies before "a/b".
var genTree = rapid.Custom(func(t *rapid.T) []manifest.File {
	name := rapid.OneOf(
		rapid.SampledFrom([]string{"a", "b", "a-b", "a.b", "a b", "A", "...", "-", "é", "😀", "\ufb33", "a\nb", `"`, "<&>"}),
		rapid.StringMatching(`[a-z]{1,8}`),
	)
	var files []manifest.File
	var fill func(dir string, depth int)
	fill = func(dir string, depth int) {
		for _, n := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "names") {
			p := dir + n
			switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
			case kind == 0 && depth > 0:
				before := len(files)
				fill(p+"/", depth-1)
				if len(files) == before {
					files = append(files, manifest.File{Path: p, Dir: true})
				}
			case kind == 1:
				up := strings.Repeat("../", rapid.IntRange(0, strings.Count(p, "/")).Draw(t, "up"))
				files = append(files, manifest.File{Path: p, Link: up + strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "target"), "/")})
			default:
				files = append(files, manifest.File{Path: p, Exec: rapid.Bool().Draw(t, "exec")})
			}
		}
	}
	fill("", 3)
	slices.SortFunc(files, func(a, b manifest.File) int { return strings.Compare(a.Path, b.Path) })
	return files
})

// genMetadata makes JSON values of all kinds, and sometimes none.
var genMetadata = rapid.Custom(func(t *rapid.T) jsontext.Value {
	if rapid.Bool().Draw(t, "no metadata") {
		return nil
	}
	b, err := json.Marshal(genJSON(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	return b
})

func genJSON(t *rapid.T, depth int) any {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\r", "1", "\u0080", "ö", "€", "😀", "\ufb33", "</script>", "\u2028"}))
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.Int64Range(-1<<53, 1<<53).Draw(t, "int")
	case 3:
		return rapid.Float64().Filter(func(f float64) bool {
			return !math.IsNaN(f) && !math.IsInf(f, 0) && (f != math.Trunc(f) || math.Abs(f) < 1<<53)
		}).Draw(t, "float")
	case 4:
		return text.Draw(t, "text")
	case 5:
		list := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range list {
			list[i] = genJSON(t, depth-1)
		}
		return list
	}
	object := map[string]any{}
	for _, k := range rapid.SliceOfNDistinct(text, 0, 4, rapid.ID).Draw(t, "members") {
		object[k] = genJSON(t, depth-1)
	}
	return object
}

// genManifest makes what a save hands to Seal.
var genManifest = rapid.Custom(func(t *rapid.T) *manifest.Manifest {
	m := &manifest.Manifest{
		Head: manifest.Head{
			Kind: manifest.KindVersion, Format: manifest.Format,
			Nonce: genNonce.Draw(t, "nonce"), Prev: rapid.SliceOfN(genNonce, 0, 8).Draw(t, "prev"),
		},
		State:   rapid.SampledFrom([]manifest.State{manifest.Live, manifest.Deleted}).Draw(t, "state"),
		Name:    genName.Draw(t, "name"),
		Version: genVersion.Draw(t, "version"),
		Created: genTime.Draw(t, "created"),
		Content: manifest.Content{
			Class:        rapid.String().Draw(t, "class"),
			Materializer: rapid.String().Draw(t, "materializer"),
			Metadata:     genMetadata.Draw(t, "metadata"),
			Files:        genTree.Draw(t, "files"),
		},
	}
	if rapid.Bool().Draw(t, "inline") {
		for i := range m.Content.Files {
			f := &m.Content.Files[i]
			if f.Regular() {
				body := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "body")
				f.Size, f.SHA256 = int64(len(body)), manifest.Sum(body)
				m.Placement.Inline = append(m.Placement.Inline, body...)
			}
		}
		return m
	}
	m.NotAfter = genTime.Draw(t, "not after")
	m.Placement.Packs = genPacks(t)
	place := placer(t, m.Placement.Packs)
	for i := range m.Content.Files {
		if f := &m.Content.Files[i]; f.Regular() {
			place(f)
		}
	}
	return m
})

func genPacks(t *rapid.T) []manifest.Pack {
	packs := make([]manifest.Pack, rapid.IntRange(1, 4).Draw(t, "packs"))
	for i := range packs {
		packs[i] = manifest.Pack{
			Era: rapid.Uint64Range(0, 3000).Draw(t, "era"), ID: genDigest.Draw(t, "id"),
			Size: rapid.SampledFrom([]int64{1, 100, manifest.MaxChunk, manifest.MaxPack}).Draw(t, "size of pack"),
		}
	}
	return packs
}

// placer returns a function that gives a file chunks, and places in packs to
// them: often end to end, across files too, else anywhere.
func placer(t *rapid.T, packs []manifest.Pack) func(f *manifest.File) {
	pack, next := 0, int64(0)
	return func(f *manifest.File) {
		n := rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3, 10}).Draw(t, "chunks")
		f.SHA256 = genDigest.Draw(t, "file")
		for range n {
			if next == packs[pack].Size || rapid.IntRange(0, 3).Draw(t, "jump") == 0 {
				pack = rapid.IntRange(0, len(packs)-1).Draw(t, "pack")
				next = rapid.Int64Range(0, packs[pack].Size-1).Draw(t, "offset")
			}
			c := manifest.Chunk{SHA256: f.SHA256, Pack: pack, Offset: next}
			if n > 1 {
				c.SHA256 = genDigest.Draw(t, "chunk")
			}
			c.Size = rapid.Int64Range(1, min(manifest.MaxChunk, packs[pack].Size-next)).Draw(t, "size")
			if c.Size > 1 && rapid.IntRange(0, 3).Draw(t, "compressed") == 0 {
				c.Stored = rapid.Int64Range(1, c.Size-1).Draw(t, "stored")
			}
			next += c.Len()
			f.Size += c.Size
			f.Chunks = append(f.Chunks, c)
		}
		if n == 0 {
			f.SHA256 = manifest.Sum(nil)
		}
	}
}
