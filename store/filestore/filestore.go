// Package filestore keeps a store in a directory of a local or network file
// system. The path of a key is the key itself, so the directory can be read,
// copied and mirrored with any tool.
//
// URLs: a bare path, or file:///path. Its root is made by MakeRoot alone, and
// held open from New on: see root.go. Until it is closed by the collector of
// garbage, its file system cannot be unmounted but lazily.
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
//     refused, and a Delete of what is gone, flush what they found: it may be
//     somebody's who has not flushed it yet, and the caller builds on it. Flush
//     is for those who build on what Get or Stat have shown.
//   - The token is the file's modification time, which replacements make
//     strictly increase. Modified is the inode's change time: it tells when
//     the name was given, and no program can set it. Copying a registry, or
//     chmod and chown on its files, makes it later, never earlier.
//   - Only replacements and deletions take a file lock, a non-blocking flock
//     in .locks. Creating, and so saving, never depends on one. Mounts known
//     to ignore file locks are refused for replacements.
//
// A key is a regular file. The root may be a symbolic link; below it, none is
// followed, and one where a key or a directory of keys could be is an error,
// also of List: what it leads to may be part of the registry to somebody, and
// a listing without it would have a collection delete what it names.
// Everything whose name cannot be part of a key is ignored, as are named pipes,
// sockets and devices.
//
// When the disk is full, puts that serve to free space get what was set aside in
// .reserve, a mebibyte: see store.Reserver.
//
// On Windows, directories cannot be flushed; a rename with write-through
// stands in for it.
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
	held   atomic.Pointer[heldRoot] // nil: there was none
	anchor atomic.Pointer[anchor]   // nil: none

	durable sync.Map                // directories known to be on the medium: path → identity
	clock   atomic.Pointer[reading] // of the file system's clock, the last one
	locks   [lockFiles]chan struct{}
	slow    atomic.Int32 // bodies of late that the disk took long for: see writeDirect
	cas     verdict      // whether replacements can be trusted here

	patience time.Duration                             // see List
	trace    func(op, path string)                     // tests watch the order of system calls
	around   func(e effect, happen func() error) error // and what they do
	early    int                                       // see Stage

	piecemeal bool // no directory is taken to have been read at one moment
}

// New returns the store in the directory dir, and takes hold of that. If there
// is none, the store is empty until MakeRoot makes it.
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
// never repeats. Outside the years that count in nanoseconds, 1678 to 2262, it
// has seconds and nanoseconds apart: somebody may have dated a file so.
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

// getAgain is get, again where the file was replaced in between.
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
		// On FUSE a name may lead to a file that is replaced before it is
		// opened, and then there is none: but the name is there.
		if st, serr := s.status("get", key); serr == nil && st.mode.IsRegular() {
			return nil, errStale
		}
	}
	if err != nil {
		return nil, s.linkAt("get", key, err)
	}
	return f, nil
}

// lostName reports whether the open file of a key has no name any more. Some
// FUSE drivers count no names at all, so the count alone says nothing.
func (s *Store) lostName(key string, open status) bool {
	if open.names > 0 {
		return false
	}
	there, err := s.status("get", key)
	return err != nil || !open.same(there)
}

// errStale: the file was replaced or deleted just after it was opened. That
// moves its change time, so the state that it was cannot be told any more.
var errStale = errors.New("file was replaced while it was read")

// maxStale is how often a file is opened again that was replaced meanwhile.
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
			return &fs.PathError{Op: "get", Path: f.Name(), Err: io.ErrUnexpectedEOF} // somebody truncated it
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
