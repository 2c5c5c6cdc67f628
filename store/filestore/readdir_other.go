//go:build !linux

package filestore

import "io/fs"

// each calls visit for each entry of the directory, in no order, with its
// type. moment is always false: this system does not promise that the entries
// are the state of one moment.
func (d *folder) each(visit func(name []byte, mode fs.FileMode) error) (moment bool, err error) {
	entries, err := d.entries()
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
