// Package filestore keeps a store in a directory of a local or network file
// system. The path of a key is the key itself, so the directory can be read,
// copied and mirrored with any tool.
//
// URLs: a bare path, or file:///path. Nothing is created until the first Put.
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
// A key is a regular file, or a symbolic link to one. Directories may be
// symbolic links, to spread a store over several disks. Everything whose name
// cannot be part of a key is ignored, as is everything that is no file.
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
	root string

	durable sync.Map                // directories known to be on the medium: path → identity
	clock   atomic.Pointer[reading] // of the file system's clock, the last one
	locks   [lockFiles]chan struct{}
	slow    atomic.Int32 // bodies of late that the disk took long for: see writeDirect
	cas     func() error // why replacements are refused here, found out once

	patience time.Duration                             // see List
	trace    func(op, path string)                     // tests watch the order of system calls
	around   func(e effect, happen func() error) error // and what they do
	early    int                                       // see Stage

	piecemeal bool // no directory is taken to have been read at one moment
}

// New returns the store in the directory dir, which need not exist yet.
func New(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("file store: empty directory name")
	}
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if fi, err := os.Stat(root); err == nil && !fi.IsDir() {
		return nil, &fs.PathError{Op: "open registry", Path: dir, Err: errors.New("not a directory")}
	}
	s := &Store{root: root, patience: patience, early: minStaged}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	s.cas = sync.OnceValue(func() error { return mountRefusal(root) })
	return s, nil
}

func (s *Store) path(key string) string { return filepath.Join(s.root, filepath.FromSlash(key)) }

// tokenOf makes the token of a modification time: see replace for why it
// never repeats.
func tokenOf(modified time.Time) store.Token {
	return store.Token(strconv.FormatInt(modified.UnixNano(), 36))
}

func (s *Store) info(key string, fi fs.FileInfo, changed time.Time) store.Info {
	return store.Info{Key: key, Size: fi.Size(), Token: tokenOf(fi.ModTime()), Modified: changed, Now: s.now()}
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	if err := check(ctx, key); err != nil {
		return nil, store.Info{}, err
	}
	if opts == nil {
		opts = &store.GetOptions{}
	}
	for try := 0; ; try++ {
		body, info, err := s.get(ctx, key, opts)
		if !isStale(err) || try == 10 {
			return body, info, err
		}
	}
}

func (s *Store) get(ctx context.Context, key string, opts *store.GetOptions) ([]byte, store.Info, error) {
	f, err := openShared(s.path(key))
	if err != nil {
		return nil, store.Info{Now: s.now()}, translate(err)
	}
	defer f.Close()
	s.note("opened", f.Name())
	fi, err := f.Stat()
	if err != nil {
		return nil, store.Info{}, err
	}
	if !fi.Mode().IsRegular() {
		return nil, store.Info{Now: s.now()}, &fs.PathError{Op: "get", Path: f.Name(), Err: store.ErrNotExist}
	}
	if lostName(f, fi) {
		return nil, store.Info{}, errStale
	}
	changed, err := changeTime(f, fi)
	if err != nil {
		return nil, store.Info{}, err
	}
	n := max(fi.Size()-opts.Offset, 0)
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
	if err := readAt(ctx, f, buf, opts.Offset); err != nil {
		return nil, store.Info{}, err
	}
	return buf, s.info(key, fi, changed), nil
}

// errStale: the file was replaced or deleted just after it was opened. That
// moves its change time, so the state that it was cannot be told any more.
var errStale = errors.New("file was replaced while it was read")

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
	fi, changed, err := stat(s.path(key))
	if err == nil && !fi.Mode().IsRegular() {
		err = &fs.PathError{Op: "stat", Path: s.path(key), Err: store.ErrNotExist}
	}
	if err != nil {
		return store.Info{Now: s.now()}, translate(err)
	}
	return s.info(key, fi, changed), nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.ValidKey(key)
}

// translate gives the store's errors their names. A parent that is a file
// ("not a directory") means that the key does not exist.
func translate(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if isNotDir(err) {
		return fmt.Errorf("%w: %w", store.ErrNotExist, err)
	}
	return err
}

func (s *Store) note(op, path string) {
	if s.trace != nil {
		s.trace(op, path)
	}
}
