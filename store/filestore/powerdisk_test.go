package filestore

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mindtrace/registry/store"
)

// A Disk records what stores do to the directory that it stands for, and
// makes images of what may be left of it after a power failure: see images.
type Disk struct {
	t   testing.TB
	dir string

	mu     sync.Mutex
	root   *inode
	inodes []*inode
	events []event
	open   map[*os.File]*inode
	broken Break
	late   []func() // flushes that an ablation holds back
	put    map[string][]*inode
}

// inode is a file or directory, whatever its names.
type inode struct {
	id    int
	names map[string]*inode // now, of a directory; nil: a file
	first map[string]*inode // before the first event
	fi    fs.FileInfo       // of a directory
	up    *inode            // of a directory: where it is, and as what
	as    string
	base  content // of a file, before the first event
	last  content // of a file, now
}

// content is what a flush of a file covers.
type content struct {
	bytes string
	time  time.Time
}

// event is something that has happened to the disk. Several may be flushed by
// one flush, which covers those before its beginning.
type event struct {
	kind eventKind
	node *inode // the file, or the directory in which a name changes

	name  string // evName
	child *inode // what it names now; nil: nothing

	at   int64 // evWrite: where
	data string
	time time.Time // evTime

	covers int // evSync: how many events had happened when it began
}

type eventKind int

const (
	evName eventKind = iota
	evWrite
	evTime
	evSync
	evMark // of the test's own
)

// Break tells a Disk to leave a rule out: it says what becomes of a flush, op
// being "sync" of a file in dir, or "syncdir" of dir. Pending is what it is to
// flush: names of the directory, those of directories with a slash; "write" and
// "time" of the file.
type Break func(op, dir string, pending []string) Flush

// Flush is what a Disk does with a flush.
type Flush int

const (
	FlushNow  Flush = iota
	FlushLate       // only after the next change of a name
	FlushNot
)

// NewDisk returns a Disk for what is in dir, which is taken to be flushed.
func NewDisk(t testing.TB, dir string, broken Break) *Disk {
	d := &Disk{t: t, dir: dir, open: map[*os.File]*inode{}, broken: broken}
	d.root = d.scan(dir)
	return d
}

func (d *Disk) scan(path string) *inode {
	n := d.newInode()
	fi, err := os.Lstat(path)
	if err != nil {
		d.t.Fatal(err)
	}
	if !fi.IsDir() {
		b, err := os.ReadFile(path)
		if err != nil {
			d.t.Fatal(err)
		}
		n.base = content{string(b), fi.ModTime()}
		n.last = n.base
		return n
	}
	n.names, n.fi = map[string]*inode{}, fi
	entries, err := os.ReadDir(path)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != lockDir {
			child := d.scan(filepath.Join(path, e.Name()))
			child.up, child.as = n, e.Name()
			n.names[e.Name()] = child
		}
	}
	n.first = maps.Clone(n.names)
	return n
}

func (d *Disk) newInode() *inode {
	n := &inode{id: len(d.inodes)}
	d.inodes = append(d.inodes, n)
	return n
}

// Watch has the disk record what s does from now on. Bodies of early bytes and
// more are staged. before is called before each flush of a directory, with the
// names that it is to flush.
func (d *Disk) Watch(s *Store, early int, before func(pending []string)) {
	s.early = early
	s.around = func(e effect, happen func() error) error {
		if before != nil && e.op == opSyncDir {
			d.mu.Lock()
			n, pending := d.dirOf(e.file), []string(nil)
			if n != nil {
				pending = d.pending(n)
			}
			d.mu.Unlock()
			before(pending)
		}
		return d.around(e, happen)
	}
}

// NoFlush keeps s from flushing, which nothing in an image depends on.
func NoFlush(s *Store) {
	s.around = func(e effect, happen func() error) error {
		if e.op == opSync || e.op == opSyncDir {
			return nil
		}
		return happen()
	}
}

// Mark records a moment of the test's own and returns the number of events
// before it.
func (d *Disk) Mark() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, event{kind: evMark})
	return len(d.events) - 1
}

func (d *Disk) around(e effect, happen func() error) error {
	if e.op == opSync || e.op == opSyncDir {
		return d.flush(e, happen)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	err := happen()
	if err != nil && !errors.Is(err, store.ErrUnknown) {
		return err
	}
	dir, name := d.lookup(e.path)
	switch e.op {
	case opMkdir, opCreate:
		if dir == nil {
			return err
		}
		n := d.newInode()
		if e.op == opMkdir {
			n.names, n.up, n.as = map[string]*inode{}, dir, name
			if n.fi, err = os.Lstat(e.path); err != nil {
				d.t.Error(err)
			}
		}
		d.setName(dir, name, n)
	case opWrite:
		if n := d.fileOf(e.file); n != nil {
			d.events = append(d.events, event{kind: evWrite, node: n, at: int64(len(n.last.bytes)), data: string(e.data)})
			n.last.bytes += string(e.data)
		}
	case opTime:
		if n := d.fileOf(e.file); n != nil {
			d.events = append(d.events, event{kind: evTime, node: n, time: e.time})
			n.last.time = e.time
		}
	case opLink, opRename:
		n := d.fileOf(e.file)
		d.setName(dir, name, n)
		if from, old := d.lookup(e.file.Name()); e.op == opRename && from.names[old] == n {
			d.setName(from, old, nil)
		}
		d.flushLate()
	case opRemove:
		if dir != nil && dir.names[name] != nil {
			d.setName(dir, name, nil)
		}
	}
	return err
}

// flush records a flush, which other things happen beside. It covers what had
// happened when it began, once it is over.
func (d *Disk) flush(e effect, happen func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var n *inode
	if e.op == opSync {
		n = d.fileOf(e.file)
	} else {
		n = d.dirOf(e.file)
	}
	if n == nil {
		return nil // above the disk
	}
	how := FlushNow
	if d.broken != nil {
		dir := e.file.Name()
		if e.op == opSync {
			dir = filepath.Dir(dir)
		}
		dir = filepath.ToSlash(strings.TrimPrefix(dir, d.dir+string(filepath.Separator)))
		how = d.broken(string(e.op), dir, d.pending(n))
	}
	covers := len(d.events)
	done := func() { d.events = append(d.events, event{kind: evSync, node: n, covers: covers}) }
	switch how {
	case FlushNot:
		return nil
	case FlushLate:
		d.late = append(d.late, done)
		return nil
	}
	d.mu.Unlock()
	err := happen()
	d.mu.Lock()
	if err == nil {
		done()
	}
	return err
}

func (d *Disk) flushLate() {
	for _, done := range d.late {
		done()
	}
	d.late = nil
}

// pending returns what has changed since the last flush: the names in
// a directory, those of directories with a slash; "write" and "time" of a file.
func (d *Disk) pending(n *inode) (changes []string) {
	for _, e := range d.events[d.coveredBy(len(d.events))[n.id]:] {
		switch {
		case e.node != n:
		case e.kind == evWrite:
			changes = append(changes, "write")
		case e.kind == evTime:
			changes = append(changes, "time")
		case e.kind == evName && e.child != nil && e.child.names != nil:
			changes = append(changes, e.name+"/")
		case e.kind == evName:
			changes = append(changes, e.name)
		}
	}
	return changes
}

// coveredBy returns, by inode, how many of the events are covered by a flush
// of it at a moment.
func (d *Disk) coveredBy(moment int) map[int]int {
	covered := map[int]int{}
	for _, e := range d.events[:moment] {
		if e.kind == evSync {
			covered[e.node.id] = max(covered[e.node.id], e.covers)
		}
	}
	return covered
}

func (d *Disk) setName(dir *inode, name string, n *inode) {
	d.events = append(d.events, event{kind: evName, node: dir, name: name, child: n})
	if n == nil {
		delete(dir.names, name)
	} else {
		dir.names[name] = n
	}
}

// lookup returns the directory that a path is in now, and its name there.
func (d *Disk) lookup(path string) (*inode, string) {
	rel, inside := strings.CutPrefix(path, d.dir+string(filepath.Separator))
	if !inside {
		return nil, ""
	}
	parts := strings.Split(filepath.ToSlash(rel), "/")
	n := d.root
	for _, p := range parts[:len(parts)-1] {
		if n = n.names[p]; n == nil {
			return nil, ""
		}
	}
	return n, parts[len(parts)-1]
}

func (d *Disk) fileOf(f *os.File) *inode {
	if n, ok := d.open[f]; ok {
		return n
	}
	dir, name := d.lookup(f.Name())
	if dir == nil || dir.names[name] == nil {
		d.t.Errorf("%s is used and was not created", f.Name())
		return nil
	}
	d.open[f] = dir.names[name]
	return d.open[f]
}

// dirOf tells which directory f is: not by its path, it may have been pruned.
func (d *Disk) dirOf(f *os.File) *inode {
	fi, err := f.Stat()
	if err != nil {
		d.t.Error(err)
		return nil
	}
	for _, n := range slices.Backward(d.inodes) { // numbers are used again
		if n.fi != nil && os.SameFile(n.fi, fi) {
			return n
		}
	}
	return nil
}
