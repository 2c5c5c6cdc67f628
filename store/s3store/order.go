package s3store

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/mindtrace/registry/store"
)

// S3 lists keys in the order of their bytes. SeaweedFS walks through its
// directories instead, and so lists by path component: a/b before a-b, since
// "a" is before "a-b", though "/" is after "-". Its pages and its start-after
// follow that order, too.
//
// A store lists in the order of bytes on both. It holds the keys of one
// directory until the server's listing has left that directory and its
// neighbours: the names that begin with its name and continue with a byte below
// the slash. Then it sorts and yields them. The result is right for either
// order; if the store takes the server for the wrong kind, that only costs
// requests.

// order is how a server lists.
type order = int32

const (
	unseen      order = iota // not known yet: the store sorts
	byBytes                  // like S3
	byComponent              // like SeaweedFS
)

// belowSlash are the bytes of keys that are less than the slash.
const belowSlash = "!-."

// afterNeighbours, appended to the name of a directory, is greater than all its
// neighbours, since no segment of a key is longer.
var afterNeighbours = "." + strings.Repeat("~", 100)

// maxHeld is how many keys a listing holds in order to sort them. A larger
// directory is listed part by part.
var maxHeld = 10_000

// errUnordered: the order of a listing is neither of the two.
var errUnordered = errors.New("this server does not list keys in order, which a registry needs; the order of bytes (S3) or of path components (SeaweedFS) would do; S3 directory buckets have no order")

// sorted lists the keys with a prefix, greater than after, in the order of
// bytes.
func (s *Store) sorted(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		(&sorter{s: s, ctx: ctx, last: after, yield: yield}).list(prefix)
	}
}

// sorter yields keys in the order of bytes, each once.
type sorter struct {
	s     *Store
	ctx   context.Context
	last  string // the last key that was yielded
	yield func(store.Info, error) bool
	asked bool // inBytes has asked the server: once in a listing, even if that fails
}

// inBytes reports whether the server lists in the order of bytes. key is a key
// that it has just listed. To find out, inBytes begins a listing behind all
// neighbours of the key's directory: a server that lists by bytes shows the
// key, a server that lists by component has passed it.
func (l *sorter) inBytes(key string) bool {
	s := l.s
	slash := strings.LastIndexByte(key, '/')
	if s.order.Load() != unseen || l.asked || slash < 0 { // a key without a directory shows nothing
		return s.order.Load() == byBytes
	}
	if s.endpoint.aws || s.known.Load() {
		s.order.Store(byBytes)
		return true
	}
	l.asked = true
	dir := s.prefix + key[:slash]
	opts := minio.ListObjectsOptions{Prefix: dir, StartAfter: dir + afterNeighbours, Recursive: true, FetchOwner: new(bool), MaxKeys: 1}
	ctx, _ := observe(l.ctx)
	for o := range s.core.Client.ListObjectsIter(ctx, s.bucket, opts) {
		if o.Err != nil {
			return false
		}
		if strings.HasPrefix(o.Key, dir+"/") {
			s.order.Store(byBytes)
			return true
		}
		break
	}
	if _, err := s.Stat(l.ctx, key); err == nil { // so the key existed all the time
		s.order.Store(byComponent)
	}
	return false
}

// list yields the keys with a prefix. It reports whether to continue.
func (l *sorter) list(prefix string) bool {
	base := prefix[:strings.LastIndexByte(prefix, '/')+1]
	passed := passedBy(prefix, l.last)
	for from := l.last; ; {
		var held []store.Info
		dir, large := "", false // the directory of the keys held, and whether they are too many
		for info, err := range l.s.pages(l.ctx, prefix, from) {
			if err != nil {
				l.yield(info, err)
				return false
			}
			if l.last != "" && info.Key <= l.last {
				continue // before the start, or yielded already
			}
			plain := l.inBytes(info.Key)
			if plain {
				passed = nil
			}
			if plain || !together(dir, info.Key) {
				if !l.flush(held, &passed) {
					return false
				}
				held, dir = held[:0], ""
			}
			if dir == "" && !plain {
				dir = directory(base, info.Key)
			}
			held = append(held, info)
			if dir == "" {
				if !l.flush(held, &passed) {
					return false
				}
				held = held[:0]
			} else if large = len(held) > maxHeld; large {
				break
			}
		}
		if !large {
			if !l.flush(held, &passed) {
				return false
			}
			return l.flushTo("", &passed)
		}
		if !l.flushTo(dir, &passed) {
			return false
		}
		for _, part := range belowSlash + "/" {
			if !l.list(dir + string(part)) {
				return false
			}
		}
		from = dir + afterNeighbours
	}
}

// flush yields the keys held, in order.
func (l *sorter) flush(held []store.Info, passed *[]string) bool {
	slices.SortFunc(held, func(a, b store.Info) int { return strings.Compare(a.Key, b.Key) })
	for _, info := range held {
		if !l.flushTo(info.Key, passed) {
			return false
		}
		if l.last != "" && info.Key <= l.last {
			continue // yielded with a directory that was passed by
		}
		l.last = info.Key
		if !l.yield(info, nil) {
			return false
		}
	}
	return true
}

// flushTo lists the directories that the walk has passed by and that come
// before key, or all of them for "".
func (l *sorter) flushTo(key string, passed *[]string) bool {
	for len(*passed) > 0 && (key == "" || (*passed)[0] < key) {
		next := (*passed)[0]
		*passed = (*passed)[1:]
		if !l.list(next) {
			return false
		}
	}
	return true
}

// passedBy returns the directories below prefix that come after a key in the
// order of bytes, but that a listing by component which begins after the key
// leaves out. They are in the order of bytes, and end in a slash.
func passedBy(prefix, after string) []string {
	var dirs []string
	if !strings.HasPrefix(after, prefix) {
		return nil
	}
	for i := len(after); i > 0 && i >= len(prefix); i-- {
		if after[i-1] != '/' && (i == len(after) || strings.IndexByte(belowSlash, after[i]) >= 0) {
			dirs = append(dirs, after[:i]+"/")
		}
	}
	return dirs
}

// directory returns base with the first segment of key below it, if key lies
// in the directory of that name, and "" otherwise.
func directory(base, key string) string {
	name, _, below := strings.Cut(key[len(base):], "/")
	if !below {
		return ""
	}
	return base + name
}

// together reports whether key lies in dir or in a neighbour of dir. It is
// false if dir is "".
func together(dir, key string) bool {
	rest, ok := strings.CutPrefix(key, dir)
	return ok && dir != "" && (rest == "" || rest[0] == '/' || strings.IndexByte(belowSlash, rest[0]) >= 0)
}

// walk checks the order of one listing of a server.
type walk struct {
	last             string // key; "" before the first
	bytes, component bool   // the listing has broken the order of bytes, or by component
}

// next takes the next key. It reports whether the listing still follows an
// order that is allowed.
func (w *walk) next(key string, o order) bool {
	if w.last != "" {
		w.bytes = w.bytes || key <= w.last
		w.component = w.component || strings.ReplaceAll(key, "/", "\x00") <= strings.ReplaceAll(w.last, "/", "\x00")
	}
	w.last = key
	return !w.bytes || !w.component && o != byBytes
}
