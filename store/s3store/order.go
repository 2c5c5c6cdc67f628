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
// go by that order, too.
//
// A store lists in the order of bytes on both. What a walk shows of one
// directory is held until the walk has left that directory and its
// neighbours, the names that begin like it and go on with a byte below the
// slash; then it is sorted and yielded. That is right for either order: a
// server taken for the other kind costs requests, and nothing else.

// order is how a server lists.
type order = int32

const (
	unseen      order = iota // sorted here, to be safe
	byBytes                  // as S3 does
	byComponent              // as SeaweedFS does
)

// belowSlash are the bytes of keys that come before the slash.
const belowSlash = "!-."

// afterNeighbours, put after the name of a directory, comes after all its
// neighbours: no segment of a key is longer.
var afterNeighbours = "." + strings.Repeat("~", 100)

// maxHeld is how many keys a listing holds in order to sort them. What a
// larger directory holds is listed part by part.
var maxHeld = 10_000

// errUnordered: the order of a listing is neither of the two.
var errUnordered = errors.New("this store does not list keys in order (an S3 directory bucket? The order of SeaweedFS, by directory, would do), which a registry needs")

// sorted lists the keys of a prefix after another in the order of bytes.
func (s *Store) sorted(ctx context.Context, prefix, after string) iter.Seq2[store.Info, error] {
	return func(yield func(store.Info, error) bool) {
		(&sorter{s: s, ctx: ctx, last: after, yield: yield}).list(prefix)
	}
}

// sorter yields keys in the order of bytes, each once.
type sorter struct {
	s     *Store
	ctx   context.Context
	last  string // that was yielded; none before it is yielded
	yield func(store.Info, error) bool
	asked bool // how the server lists: once a listing, should it fail
}

// inBytes reports whether the server lists in the order of bytes. key is one
// that it has just listed. To find out, a listing of the key's directory is
// begun after all neighbours of the directory: by bytes the key is still to
// come, by component it has gone by.
func (l *sorter) inBytes(key string) bool {
	s := l.s
	slash := strings.LastIndexByte(key, '/')
	if s.order.Load() != unseen || l.asked || slash < 0 { // a key in no directory says nothing
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
	if _, err := s.Stat(l.ctx, key); err == nil { // so it was there all the time
		s.order.Store(byComponent)
	}
	return false
}

// list yields the keys of prefix. It reports whether to go on.
func (l *sorter) list(prefix string) bool {
	base := prefix[:strings.LastIndexByte(prefix, '/')+1]
	passed := passedBy(prefix, l.last)
	for from := l.last; ; {
		var held []store.Info
		dir, large := "", false // the directory of what is held; is it too much?
		for info, err := range l.s.pages(l.ctx, prefix, from) {
			if err != nil {
				l.yield(info, err)
				return false
			}
			if l.last != "" && info.Key <= l.last {
				continue // before where to begin, or yielded
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

// flush yields what was held, in order.
func (l *sorter) flush(held []store.Info, passed *[]string) bool {
	slices.SortFunc(held, func(a, b store.Info) int { return strings.Compare(a.Key, b.Key) })
	for _, info := range held {
		if !l.flushTo(info.Key, passed) {
			return false
		}
		if l.last != "" && info.Key <= l.last {
			continue // it was in a directory passed by
		}
		l.last = info.Key
		if !l.yield(info, nil) {
			return false
		}
	}
	return true
}

// flushTo yields the directories that the walk has passed by and that come
// before key, or all of them.
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

// passedBy returns the directories below prefix that a walk which begins after
// a key leaves out, and that come after it in the order of bytes. They are in
// that order, and end in a slash.
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

// directory returns base and the first segment of key below it if key lies in
// the directory of that name, and "" otherwise.
func directory(base, key string) string {
	name, _, below := strings.Cut(key[len(base):], "/")
	if !below {
		return ""
	}
	return base + name
}

// together reports whether key lies in dir or a neighbour of it. "" is no
// directory.
func together(dir, key string) bool {
	rest, ok := strings.CutPrefix(key, dir)
	return ok && dir != "" && (rest == "" || rest[0] == '/' || strings.IndexByte(belowSlash, rest[0]) >= 0)
}

// walk watches over the order in which one listing of a server comes.
type walk struct {
	last             string // key; "" before the first
	bytes, component bool   // whether it has left the order of bytes, or by component
}

// next takes note of a key. It reports whether the listing still has an order
// that is allowed.
func (w *walk) next(key string, o order) bool {
	if w.last != "" {
		w.bytes = w.bytes || key <= w.last
		w.component = w.component || strings.ReplaceAll(key, "/", "\x00") <= strings.ReplaceAll(w.last, "/", "\x00")
	}
	w.last = key
	return !w.bytes || !w.component && o != byBytes
}
