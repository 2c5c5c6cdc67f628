// Package filestore keeps a store in a directory of a local or network file
// system. The path of a key is the key itself, so the directory can be read,
// copied and mirrored with any tool.
//
// URLs: a bare path, or file:///path. Only MakeRoot makes the root. The root
// is held open from New on (see root.go) until Go's garbage collector closes
// it; until then, its file system can only be unmounted lazily.
//
// # How it keeps the contract
//
//   - A body is written to a temporary file beside its target, flushed, and
//     only then given its name: by link(2) for a new key, which fails if the
//     name is taken, and by rename(2) under a lock for a replacement. Names
//     of temporaries start with a dot, which no key does; a writer that is
//     killed leaves nothing else behind.
//   - The directory is flushed after it, and before it every parent that might
//     be new. Put returns when all of that is on the medium. A Put that is
//     refused, and a Delete of an absent key, flush the state that they found:
//     another process may not have flushed it yet, and the caller relies on
//     it. A caller that relies on what Get or Stat have shown uses Flush.
//   - The token is the file's modification time, which replacements make
//     strictly increase. Modified is the inode's change time: the time when
//     the name was given, which no program can set. Copying a registry, or
//     chmod and chown on its files, makes it later, never earlier.
//   - Only replacements and deletions take a file lock, a non-blocking flock
//     in .locks. Creating, and so saving, never depends on one. Mounts known
//     to ignore file locks are refused for replacements.
//
// A key is a regular file. The root may be a symbolic link. No link below it
// is followed, and a link in the place of a key or of a directory of keys is
// an error, also of List: its target may hold registers, and a collection that
// does not see them would delete the packs that they name.
// Everything whose name cannot be part of a key is ignored, as are named pipes,
// sockets and devices.
//
// When the disk is full, puts that serve to free space may use the mebibyte
// that is set aside in .reserve: see store.Reserver.
//
// On Windows, directories cannot be flushed; a rename with write-through
// is used instead.
//
// # Files of this package
//
//	filestore.go  Store, New; Get and Stat
//	put.go        Put: create by link, replace by rename under a lock
//	delete.go     Delete
//	list.go       List, Keys: directories are read until two readings agree
//	stage.go      Stage: write now, flush and name later
//	root.go       the root, held open; anchor.go: the key that identifies it
//	folder.go     one directory held open; folder_unix.go, folder_windows.go
//	temp.go       temporary files and their modification times; write.go: their bytes
//	dir.go        which directories have to be flushed, with chain.go
//	effect.go     every change of the file system goes through do, which tests watch
//	lock.go       the file locks of replacements and deletions; lock_unix.go, lock_windows.go
//	verdict.go    may replacements be trusted here? mount_linux.go, hidden_linux.go: why not
//	clock.go      the file system's clock
//	readdir_*.go  reading a directory, and whether it was one moment
//	clean.go      leftovers; prune.go: empty directories; reserve.go: room for deletions
//	foreign.go    files that are not keys; inspect.go: links and mounts, for doctor
//	class.go      errors of the file system as errors of package store
//	sys_*.go      system calls
package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mindtrace/registry/store"
)

func init() {
	store.Register("file", func(_ context.Context, u *url.URL) (store.Store, error) {
		if u.RawQuery != "" {
			return nil, fmt.Errorf("registry location %q: a directory takes no options", u)
		}
		return New(u.Path)
	})
}

// Store is a store in a directory.
type Store struct {
	root   string                   // its path
	held   atomic.Pointer[heldRoot] // nil: the directory does not exist yet
	anchor atomic.Pointer[anchor]   // nil: no anchor

	durable sync.Map                // directories known to be on the medium: path → identity
	clock   atomic.Pointer[reading] // the last reading of the file system's clock
	locks   [lockFiles]chan struct{}
	slow    atomic.Int32 // bodies in a row that the disk was slow with: see writeDirect
	cas     verdict      // whether replacements can be trusted here

	patience time.Duration                             // see List
	trace    func(op, path string)                     // tests watch the order of system calls
	around   func(e effect, happen func() error) error // tests watch or prevent changes
	early    int                                       // see Stage

	piecemeal bool // tests: treat no directory as read at one moment
}

// New returns the store in the directory dir, and holds that directory open.
// If dir does not exist, the store is empty until MakeRoot makes dir. Errors:
// fs.ErrPermission, and others of opening a directory.
func New(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("file store: empty directory name")
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, patience: patience, early: minStaged}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s, s.hold()
}

func (s *Store) path(key string) string { return filepath.Join(s.root, filepath.FromSlash(key)) }

// tokenOf makes the token of a modification time: see replace for why it
// never repeats. An int64 of nanoseconds covers the years 1678 to 2262 only.
// A program may have set another date; then the token has seconds and
// nanoseconds apart.
func tokenOf(modified time.Time) store.Token {
	if year := modified.UTC().Year(); year < 1678 || year >= 2262 {
		return store.Token(strconv.FormatInt(modified.Unix(), 36) + "." + strconv.Itoa(modified.Nanosecond()))
	}
	return store.Token(strconv.FormatInt(modified.UnixNano(), 36))
}

func (s *Store) info(key string, st status) store.Info {
	return store.Info{Key: key, Size: st.size, Token: tokenOf(st.modified), Modified: st.changed, Now: s.now()}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Info{}, err
	}
	if opts == nil {
		opts = &store.GetOptions{}
	}
	body, info, err := s.getAgain(ctx, key, opts)
	if err = s.found(err); err != nil {
		return nil, store.Info{Now: info.Now}, err
	}
	return body, info, nil
}

// getAgain calls get again if the file was replaced meanwhile.
func (s *Store) getAgain(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	for try := 0; ; try++ {
		body, info, err := s.get(ctx, key, opts)
		if !isStale(err) || try == maxStale {
			return body, info, err
		}
	}
}

func (s *Store) get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	f, err := s.openFile(key)
	if err != nil {
		return nil, store.Info{Now: s.now()}, err
	}
	defer f.Close()
	s.note("opened", f.Name())
	st, err := statusOfFile(f)
	if err == nil {
		err = st.regular("get", f.Name())
	}
	if err != nil {
		return nil, store.Info{Now: s.now()}, err
	}
	if s.lostName(key, st) {
		return nil, store.Info{}, errStale
	}
	n := max(st.size-opts.Offset, 0)
	if opts.Length > 0 {
		n = min(n, opts.Length)
	}
	if err := opts.TooMany(key, n); err != nil {
		return nil, store.Info{Now: s.now()}, err
	}
	buf := opts.Buffer
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if err := readAt(ctx, f, buf, opts.Offset); errors.Is(err, fs.ErrNotExist) {
		return nil, store.Info{}, errStale
	} else if err != nil {
		return nil, store.Info{}, err
	}
	return buf, s.info(key, st), nil
}

// openFile opens the file of a key for reading.
func (s *Store) openFile(key string) (*os.File, error) {
	held := s.held.Load()
	if held == nil {
		return nil, &fs.PathError{Op: "get", Path: s.path(key), Err: fs.ErrNotExist}
	}
	f, err := held.file(s.path(key), key)
	if errors.Is(err, fs.ErrNotExist) {
		// On FUSE, opening a file that is being replaced may fail like this
		// although the name exists. So may a look at it, but hardly ever twice.
		for range 3 {
			if st, serr := s.status("get", key); serr == nil && st.mode.IsRegular() {
				return nil, errStale
			}
		}
	}
	if err != nil {
		return nil, s.linkAt("get", key, err)
	}
	return f, nil
}

// lostName reports whether the open file of a key has lost its name. Some FUSE
// drivers always report zero names, so it compares the files too.
func (s *Store) lostName(key string, open status) bool {
	if open.names > 0 {
		return false
	}
	there, err := s.status("get", key)
	return err != nil || !open.same(there)
}

// errStale: the file was replaced or deleted just after it was opened. That
// moves its change time, so its Modified is lost.
var errStale = errors.New("file was replaced while it was read")

// maxStale is how often a file that was replaced meanwhile is opened again.
const maxStale = 20

// ioSize is the size of one read or write: large enough to be cheap, small
// enough to notice a cancellation at once and for the kernel to find memory
// for without stalling.
const ioSize = 256 << 10

func readAt(ctx context.Context, f *os.File, buf []byte, off int64) error {
	for n := 0; n < len(buf); {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(n+ioSize, len(buf))
		m, err := f.ReadAt(buf[n:end], off+int64(n))
		n += m
		if err == io.EOF && n < len(buf) {
			return &fs.PathError{Op: "get", Path: f.Name(), Err: io.ErrUnexpectedEOF} // another program has truncated it
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// Stat implements store.Store.
func (s *Store) Stat(ctx context.Context, key string) (store.Info, error) {
	if err := check(ctx, key); err != nil {
		return store.Info{}, err
	}
	st, err := s.status("stat", key)
	if err == nil {
		err = st.regular("stat", s.path(key))
	}
	if err = s.found(err); err != nil {
		return store.Info{Now: s.now()}, err
	}
	return s.info(key, st), nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ValidKey(key)
}

func (s *Store) note(op, path string) {
	if s.trace != nil {
		s.trace(op, path)
	}
}
