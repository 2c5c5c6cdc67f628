//go:build !linux

package filestore

import "io/fs"

// eachName calls visit for each entry of a directory, in no order, with its
// type. It reports whether that is how the directory was at one moment: here,
// nobody promises it.
func eachName(dir string, visit func(name []byte, mode fs.FileMode) error) (moment bool, err error) {
	f, err := openDir(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if err := visit([]byte(e.Name()), e.Type()); err != nil {
			return false, err
		}
	}
	return false, nil
}
