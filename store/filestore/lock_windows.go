package filestore

import (
	"context"

	"github.com/gofrs/flock"
)

// lock locks a file in the directory, and makes the file if it does not exist.
func (d *folder) lock(ctx context.Context, name string) (release func(), err error) {
	if st, err := d.status(name); err == nil && !st.mode.IsRegular() {
		return nil, foreign("lock", d.join(name), isNoLock)
	}
	l := flock.New(d.join(name), flock.SetPermissions(0o666))
	if err := poll(ctx, l.TryLock); err != nil {
		return nil, err
	}
	return func() { l.Unlock() }, nil
}
