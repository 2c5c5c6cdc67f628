package tree

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/mindtrace/registry/internal/manifest"
)

// index finds the entries of a manifest by path.
type index struct {
	files []manifest.File
	entry map[string]int      // path → index in files; has no directory that is not empty
	dirs  map[string][]string // directory → base names in it, sorted
}

func newIndex(files []manifest.File) *index {
	x := &index{files: files, entry: make(map[string]int, len(files)), dirs: map[string][]string{".": nil}}
	for i := range files {
		p := files[i].Path
		x.entry[p] = i
		if files[i].Dir {
			x.dirs[p] = nil
		}
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			_, known := x.dirs[dir]
			x.dirs[dir] = append(x.dirs[dir], path.Base(p))
			if known {
				break
			}
			p = dir
		}
	}
	for _, names := range x.dirs {
		slices.Sort(names)
	}
	return x
}

// resolve follows the symbolic links in name, and returns the clean path of the
// entry. With follow unset, it does not follow a link that is the last part.
func (x *index) resolve(name string, follow bool) (string, error) {
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
		i, isEntry := x.entry[next]
		_, isDir := x.dirs[next]
		switch {
		case isEntry && x.files[i].Link != "" && (follow || rest != ""):
			if hops++; hops > 40 {
				return "", errors.New("too many symbolic links")
			}
			rest = x.files[i].Link + "/" + rest
			continue
		case !isEntry && !isDir, isEntry && !isDir && rest != "":
			return "", fs.ErrNotExist
		}
		at = next
	}
	return at, nil
}
