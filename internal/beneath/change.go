package beneath

import "io/fs"

// Change tells how a file differs from what it was.
type Change int

const (
	// Same: nobody has touched it.
	Same Change = iota
	// Touched: something about it was changed, and the system's own change
	// time alone says so. Perhaps it got another name, mode or owner; perhaps
	// somebody wrote to it and has set its modification time back.
	Touched
	// Written: it has another size or modification time.
	Written
)

// Compare compares what Stat of one open file has said before and after. On
// systems without a change time (and on Windows, where it is not looked at),
// nothing is Touched: there, a write whose modification time was set back
// does not show.
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
