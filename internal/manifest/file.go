package manifest

import (
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"unicode/utf8"
)

// Limits of the chunking; see package chunk.
const (
	MaxChunk = 4 << 20  // largest chunk, in bytes
	MaxPack  = 16 << 20 // largest pack, in bytes
)

// File is one entry of an object's tree: a regular file, a symbolic link, or
// a directory. Directories are listed only if they are empty.
type File struct {
	Path   string `json:"path"` // slash-separated, relative, clean
	Dir    bool   `json:"dir,omitzero"`
	Link   string `json:"link,omitzero"` // target, relative to the link's directory
	Exec   bool   `json:"exec,omitzero"` // whether the owner may execute it
	Size   int64  `json:"size,omitzero"`
	SHA256 Digest `json:"sha256,omitzero"` // of the contents, as sha256sum prints it; zero for links and directories

	// Chunks are the contents in order. They belong to the placement, not to the
	// content: a copy of the version may be cut and stored in another way.
	Chunks []Chunk `json:"-"`
}

// Chunk is a run of bytes of one file, stored in one pack.
type Chunk struct {
	SHA256 Digest // of the run, also where it is stored compressed
	Size   int64
	Pack   int   // index into Manifest.Packs
	Offset int64 // within the pack
	Stored int64 // size in the pack as Zstandard frames; 0 if it is not compressed
}

// Len returns how many bytes of its pack the chunk takes.
func (c *Chunk) Len() int64 {
	if c.Stored > 0 {
		return c.Stored
	}
	return c.Size
}

// Regular reports whether f is a regular file.
func (f *File) Regular() bool { return !f.Dir && f.Link == "" }

// Mode returns the type and permissions that f is restored with.
func (f *File) Mode() fs.FileMode {
	switch {
	case f.Dir:
		return fs.ModeDir | 0o777
	case f.Link != "":
		return fs.ModeSymlink | 0o777
	case f.Exec:
		return 0o777
	}
	return 0o666
}

// ValidPath reports why p may not be the path of a File, or nil.
func ValidPath(p string) error {
	switch {
	case !utf8.ValidString(p):
		return fmt.Errorf("path %.200q is not valid UTF-8", p)
	case !fs.ValidPath(p) || p == ".":
		return fmt.Errorf("path %.200q is not clean, relative and inside the object", p)
	case strings.ContainsRune(p, 0):
		return fmt.Errorf("path %.200q contains a zero byte", p)
	case len(p) > 4096:
		return fmt.Errorf("path %.100q... has %d bytes, the limit is 4096", p, len(p))
	}
	return nil
}

// ValidLink reports why a symbolic link at path p may not point to target, or
// nil. A target is relative, stays inside the object, and has ".." only at its
// start. With these rules no chain of links leads out of the object.
func ValidLink(p, target string) error {
	bad := func(why string) error { return fmt.Errorf("symbolic link %.200q -> %.200q %s", p, target, why) }
	const out = "leads out of the object"
	switch {
	case target == "":
		return bad("has no target")
	case len(target) > 4096:
		return bad("has a target of more than 4096 bytes")
	case !utf8.ValidString(target):
		return bad("has a target that is not valid UTF-8")
	case strings.ContainsAny(target, "\x00\\"):
		return bad("has a zero byte or a backslash in its target")
	case target[0] == '/', len(target) > 1 && target[1] == ':': // a drive of Windows
		return bad(out)
	}
	rest, depth := target, strings.Count(p, "/")
	for rest == ".." || strings.HasPrefix(rest, "../") {
		if depth--; depth < 0 {
			return bad(out)
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, ".."), "/")
	}
	if strings.Contains("/"+rest+"/", "/../") {
		return bad("goes up in the middle of its target, which leads elsewhere if that part is a link; write the target without that part")
	}
	return nil
}

// noBytes is the digest of an empty file.
var noBytes = Sum(nil)

// checkFiles checks that files are a tree: sorted, no path twice, and no path
// below a file, a link or an empty directory.
func checkFiles(files []File) error {
	last := ""
	for i := range files {
		f := &files[i]
		if err := ValidPath(f.Path); err != nil {
			return err
		}
		switch {
		case i > 0 && f.Path == last:
			return fmt.Errorf("path %q occurs twice", f.Path)
		case f.Path < last:
			return fmt.Errorf("path %q comes after %q", f.Path, last)
		}
		last = f.Path
		switch {
		case f.Dir && (f.Link != "" || f.Exec), f.Link != "" && f.Exec,
			!f.Regular() && (f.Size != 0 || f.SHA256 != Digest{}):
			return fmt.Errorf("%q is of two kinds", f.Path)
		case f.Size < 0:
			return fmt.Errorf("%q has a negative size", f.Path)
		case f.Regular() && f.SHA256 == Digest{}:
			return fmt.Errorf("%q has no digest", f.Path)
		case f.Regular() && f.Size == 0 && f.SHA256 != noBytes:
			return fmt.Errorf("%q is empty, but its digest is not that of zero bytes", f.Path)
		case f.Link != "":
			if err := ValidLink(f.Path, f.Link); err != nil {
				return err
			}
		}
	}
	for i := range files {
		if below := firstBelow(files[i].Path, files[i+1:]); below != "" {
			return fmt.Errorf("%q lies below %q, which is not a directory with entries", below, files[i].Path)
		}
	}
	return nil
}

// firstBelow returns the first path in rest that is below p, or "". The paths in
// rest are ascending and greater than p. So those that begin with p come first,
// and those below p are among them, perhaps after others such as p+"-".
func firstBelow(p string, rest []File) string {
	if len(rest) == 0 || !strings.HasPrefix(rest[0].Path, p) {
		return ""
	}
	dir := p + "/"
	i := sort.Search(len(rest), func(i int) bool { return rest[i].Path >= dir })
	if i == len(rest) || !strings.HasPrefix(rest[i].Path, dir) {
		return ""
	}
	return rest[i].Path
}
