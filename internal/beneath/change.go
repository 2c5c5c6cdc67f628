package beneath

import "io/fs"

// Change says how a file has changed between two calls of Stat.
type Change int

const (
	// Same: it has not changed.
	Same Change = iota
	// Touched: only its change time is different. It has another name, mode or
	// owner; or somebody wrote to it and set its modification time back.
	Touched
	// Written: its size or modification time is different.
	Written
)

// Compare compares two results of Stat of one open file. On Windows, and on systems
// without a change time, it never returns Touched: there, a write does not show if
// the modification time is set back.
func Compare(before, after fs.FileInfo) Change {
	if before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) {
		return Written
	}
	was, ok1 := ChangeTime(before)
	is, ok2 := ChangeTime(after)
	if ok1 && ok2 && !was.Equal(is) {
		return Touched
	}
	return Same
}
