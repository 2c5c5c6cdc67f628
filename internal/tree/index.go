package tree

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
)

// tree finds entries by path.
type tree struct {
	files []manifest.File
	index map[string]int      // path → index of its entry, for entries of the manifest
	dirs  map[string][]string // directory → base names in it, sorted
}

func newTree(files []manifest.File) *tree {
	t := &tree{files: files, index: make(map[string]int, len(files)), dirs: map[string][]string{".": nil}}
	for i := range files {
		p := files[i].Path
		t.index[p] = i
		if files[i].Dir {
			t.dirs[p] = nil
		}
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			_, known := t.dirs[dir]
			t.dirs[dir] = append(t.dirs[dir], path.Base(p))
			if known {
				break
			}
			p = dir
		}
	}
	for _, names := range t.dirs {
		slices.Sort(names)
	}
	return t
}

// resolve returns the clean path that name leads to, through symbolic links.
// With follow unset, a link at the end is not followed.
func (t *tree) resolve(name string, follow bool) (string, error) {
	rest, at := name, "."
	for hops := 0; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		i, isEntry := t.index[next]
		_, isDir := t.dirs[next]
		switch {
		case isEntry && t.files[i].Link != "" && (follow || rest != ""):
			if hops++; hops > 40 {
				return "", errors.New("too many symbolic links")
			}
			rest = t.files[i].Link + "/" + rest
			continue
		case !isEntry && !isDir, isEntry && !isDir && rest != "":
			return "", fs.ErrNotExist
		}
		at = next
	}
	return at, nil
}
